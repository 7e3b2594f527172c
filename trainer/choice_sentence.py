"""The sentence by which a card tells how a model's epochs and weights were chosen."""

from pipeline.vocabulary import ANY
from trainer.material import Material
from trainer.records import SeedRecord
from trainer.report import different


def sentence(name: str, record: SeedRecord, material: Material) -> str:
    """Return how the model of a name was chosen whose training has this record."""
    user = material.user
    added = "" if user is None else f"; in every fit also user recordings, {user.summary()}"
    n_subjects = len(different(material.data.train.subjects))
    if name.endswith(ANY):
        return _of_any_place(material, n_subjects) + added
    n_held_out = len(record.held_out_subjects)
    if n_held_out == 0:
        source = (
            f"windows of the raw recordings of {n_subjects} training subjects, labelled by their "
            "newest samples"
            if material.raw.recordings
            else f"published windows of {n_subjects} training subjects"
        )
        return (
            f"{source}, rotated at random; form, random rotations, schedule and temperature chosen "
            "by cross-validation over the training subjects, held out whole; seed fixed "
            "beforehand; test split evaluated once, at the end"
        ) + added
    then = (
        f"then fitted again on all {n_subjects}"
        if record.refit is not None
        else f"weights of that epoch, fitted on the other {n_subjects - n_held_out}"
    )
    return (
        f"number of epochs by the accuracy on {n_held_out} of the {n_subjects} training subjects, "
        f"held out whole, drawn by the seed; {then}; seed fixed beforehand; "
        "test split evaluated once, at the end"
    ) + added


def _of_any_place(material: Material, n_subjects: int) -> str:
    source = "windows of the raw recordings and " if material.raw.recordings else ""
    others = ", ".join(one.name for one in material.sets)
    return (
        f"{source}published windows of {n_subjects} training subjects at the waist"
        + (f" and of the people of {others}" if others else ", of no other placement")
        + ", with the wearer's frame as learnt live; form, changes, schedule and temperature "
        "chosen by leaving out each data set in turn, people never shared; seed fixed beforehand; "
        "test split evaluated once, at the end"
    )

-- A history of version 1, as har-history made it, with a prediction and an episode.
CREATE TABLE har_history (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE models (
	id INTEGER NOT NULL,
	model TEXT NOT NULL,
	activities TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (model, activities)
);
CREATE TABLE episodes (
	device TEXT NOT NULL,
	start BIGINT NOT NULL,
	"end" BIGINT NOT NULL,
	activity TEXT NOT NULL,
	probability DOUBLE NOT NULL,
	PRIMARY KEY (device, start)
) WITHOUT ROWID;
CREATE TABLE predictions (
	device TEXT NOT NULL,
	start BIGINT NOT NULL,
	"end" BIGINT NOT NULL,
	activity TEXT NOT NULL,
	probability DOUBLE NOT NULL,
	probabilities BLOB NOT NULL,
	settling BOOLEAN NOT NULL,
	model_id INTEGER NOT NULL,
	PRIMARY KEY (device, start),
	FOREIGN KEY(model_id) REFERENCES models (id)
) WITHOUT ROWID;
INSERT INTO har_history VALUES ('version', '1'), ('client_id', 'har-history-1a2b3c4d'), ('session_begun', 'yes');
INSERT INTO models VALUES (1, 'cnn-lstm@1a2b3c4d', '["WALKING", "SITTING"]');
INSERT INTO predictions VALUES ('phone-7', 1795392000000000, 1795392002540000, 'WALKING', 0.75, x'0000403f0000803e', 0, 1);
INSERT INTO episodes VALUES ('phone-7', 1795392000000000, 1795392060500000, 'WALKING', 0.9);

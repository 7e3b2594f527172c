// Light and dark: as the system has it, or as the reader chose.

const KEY = "har-theme";
const CHOICES = ["system", "light", "dark"];

/** Make a button switch between the themes; `onChange` is called after each change. */
export function themeSwitch(button, onChange) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let choice = stored();

  function show() {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    button.textContent = `Theme: ${choice}`;
    onChange();
  }

  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // a private window keeps nothing; the choice holds for this page
    }
    show();
  });
  dark.addEventListener("change", () => onChange());
  show();
}

function stored() {
  try {
    const choice = localStorage.getItem(KEY);
    return CHOICES.includes(choice) ? choice : "system";
  } catch {
    return "system";
  }
}

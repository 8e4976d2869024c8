// Light, dark, or as the system says; remembered in this browser. The style sheet follows `data-theme` on the
// root element; plots read their colours from it and are told to draw again through `revision`.

export type Choice = 'system' | 'light' | 'dark';
const KEY = 'geminus.theme';
const CHOICES: readonly Choice[] = ['system', 'light', 'dark'];

class Theme {
  choice = $state<Choice>(remembered());
  revision = $state(0);

  constructor() {
    this.apply();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { this.revision += 1; });
  }

  turn(): void {
    this.choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length] ?? 'system';
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // A browser that keeps nothing still shows what was chosen, until the page is closed.
    }
    this.apply();
  }

  private apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
    this.revision += 1;
  }
}

function remembered(): Choice {
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === kept) ?? 'system';
  } catch {
    return 'system';
  }
}

/** A colour of the style sheet, by its custom property. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const theme = new Theme();

/** Dark or light: as the system says, until somebody chooses; the choice is kept in the browser. */
import { useEffect, useState } from "preact/hooks";

const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEPT_AS = "sluice-theme";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(
    () => THEMES.find((one) => one === localStorage.getItem(KEPT_AS)) ?? "system",
  );
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    localStorage.setItem(KEPT_AS, theme);
  }, [theme]);
  return [theme, setTheme];
}

export function ThemeChoice({ theme, setTheme }: { theme: Theme; setTheme(theme: Theme): void }) {
  return (
    <label class="theme">
      <span class="for-readers">Colours</span>
      <select value={theme} onChange={({ currentTarget }) => setTheme(currentTarget.value as Theme)}>
        {THEMES.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

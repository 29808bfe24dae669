"use strict";
(() => {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `healing_theme=${root.dataset.theme}; path=/; max-age=31536000; SameSite=Lax`;
    name();
  });
  name();
  button.hidden = false;
})();

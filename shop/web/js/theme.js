// Runs before the first paint, so that a chosen theme does not flash. Without a choice the system's preference rules.
(function () {
  "use strict";
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be switched off; the default theme is fine.
  }
})();

"use strict";
// Shows an import's page as it is now, until the import has ended, so that nobody has to reload it.
(() => {
  const EVERY_MILLISECONDS = 1000;
  const goesOn = () => document.getElementById("import-goes-on") !== null;

  async function refresh() {
    try {
      const answer = await fetch(window.location.href);
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const now = page.getElementById("content-main");
        document.getElementById("content-main").replaceWith(now);
      }
    } catch {
      // The next attempt may find the service again.
    }
    if (goesOn()) {
      setTimeout(refresh, EVERY_MILLISECONDS);
    }
  }

  if (goesOn()) {
    setTimeout(refresh, EVERY_MILLISECONDS);
  }
})();

(function () {
  "use strict";
  var root = document.documentElement;
  var box = document.querySelector(".switch");
  var buttons = box.querySelectorAll("button");
  function show(language) {
    root.lang = language;
    document.title = root.getAttribute("data-title-" + language);
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    });
  }
  // A page opened as a file may have no storage, or a late one: the address remembers this page, storage the next.
  function remembered() {
    try { return localStorage.getItem("dadeum-language"); } catch (error) { return null; }
  }
  function remember(language) {
    try { history.replaceState(null, "", "#lang=" + language); } catch (error) { location.hash = "lang=" + language; }
    try { localStorage.setItem("dadeum-language", language); } catch (error) { return; }
  }
  var asked = /^#lang=(ko|en)$/.exec(location.hash);
  var language = asked ? asked[1] : remembered();
  box.hidden = false;
  show(language === "en" ? "en" : "ko");
  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      show(button.dataset.language);
      remember(button.dataset.language);
    });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });
})();

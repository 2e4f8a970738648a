
(function () {
  "use strict";
  var search = document.getElementById("search");
  document.querySelectorAll("details.fold").forEach(function (part) { part.open = false; });
  document.querySelectorAll(".copy button").forEach(function (button) {
    var line = button.previousElementSibling;
    button.hidden = false;
    button.addEventListener("click", function () {
      function done() { button.classList.add("done"); setTimeout(function () { button.classList.remove("done"); }, 1500); }
      function select() { getSelection().selectAllChildren(line); document.execCommand("copy"); done(); }
      if (navigator.clipboard) { navigator.clipboard.writeText(line.textContent).then(done, select); } else { select(); }
    });
  });
  if (!search) { return; }
  var buttons = document.querySelectorAll(".filter button");
  var found = Array.prototype.map.call(document.querySelectorAll("tr[data-of]"), function (line) {
    var section = document.getElementById(line.dataset.of);
    var link = document.querySelector('.inner a[href="#' + line.dataset.of + '"]').parentNode;
    return { places: [line, section, link], severity: section.dataset.severity, text: section.textContent.toLowerCase() };
  });
  function filter() {
    var wanted = search.value.trim().toLowerCase(), severities = {}, shown = 0;
    buttons.forEach(function (button) { severities[button.dataset.severity] = button.getAttribute("aria-pressed") === "true"; });
    found.forEach(function (item) {
      var fits = severities[item.severity] && item.text.indexOf(wanted) >= 0;
      shown += fits ? 1 : 0;
      item.places.forEach(function (place) { place.hidden = !fits; });
    });
    document.querySelector(".filter .none").hidden = shown > 0;
  }
  function name() { search.placeholder = search.dataset[document.documentElement.lang]; }
  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  });
  search.addEventListener("input", filter);
  new MutationObserver(name).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
  name();
  document.querySelector(".filter").hidden = false;
})();

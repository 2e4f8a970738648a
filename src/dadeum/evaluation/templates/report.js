(function () {
  "use strict";
  var root = document.documentElement;
  document.querySelectorAll(".browser").forEach(function (browser) {
    var list = browser.querySelector(".list");
    var items = Array.prototype.slice.call(list.children);
    var order = browser.querySelector(".order");
    var search = browser.querySelector(".search");
    var shown = browser.querySelector(".shown");
    function sort() {
      var metric = order.value;
      items.sort(function (a, b) { return a.getAttribute("data-" + metric) - b.getAttribute("data-" + metric); });
      items.forEach(function (item) { list.appendChild(item); });
    }
    function filter() {
      var wanted = search.value.trim().toLowerCase();
      var left = items.filter(function (item) {
        item.hidden = wanted !== "" && item.textContent.toLowerCase().indexOf(wanted) < 0;
        return !item.hidden;
      });
      shown.textContent = left.length + " / " + items.length;
    }
    function name() {
      Array.prototype.forEach.call(order.options, function (option) {
        option.textContent = option.getAttribute("data-" + (root.lang === "en" ? "en" : "ko"));
      });
    }
    browser.querySelector(".controls").hidden = false;
    order.addEventListener("change", sort);
    search.addEventListener("input", filter);
    new MutationObserver(name).observe(root, { attributes: true, attributeFilter: ["lang"] });
    name();
    filter();
  });
})();

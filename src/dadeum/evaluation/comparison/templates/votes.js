(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("ballot-data").textContent);
  var pairs = Array.prototype.slice.call(document.querySelectorAll(".pair"));
  var voter = document.getElementById("voter");
  var kept = "dadeum-vote-" + data.vote;
  var state = { voter: "", votes: {} };
  try {
    var found = JSON.parse(localStorage.getItem(kept));
    if (found && found.votes) { state = found; }
  } catch (error) { state = { voter: "", votes: {} }; }
  function keep() {
    try { localStorage.setItem(kept, JSON.stringify(state)); } catch (error) { return; }
  }
  function next() {
    return pairs.find(function (pair) { return !state.votes[pair.dataset.row]; });
  }
  function show() {
    var current = next();
    pairs.forEach(function (pair) {
      pair.classList.toggle("current", pair === current);
      pair.querySelectorAll("[data-vote]").forEach(function (button) {
        button.setAttribute("aria-pressed", String(state.votes[pair.dataset.row] === button.dataset.vote));
      });
    });
    var done = String(Object.keys(state.votes).length);
    document.querySelectorAll(".done").forEach(function (place) { place.textContent = done; });
  }
  function vote(pair, side) {
    if (state.votes[pair.dataset.row] === side) { delete state.votes[pair.dataset.row]; } else { state.votes[pair.dataset.row] = side; }
    keep();
    show();
  }
  pairs.forEach(function (pair) {
    pair.querySelectorAll("[data-vote]").forEach(function (button) {
      button.addEventListener("click", function () { vote(pair, button.dataset.vote); });
    });
  });
  var keys = { "1": "left", "2": "tie", "3": "right" };
  document.addEventListener("keydown", function (event) {
    var side = keys[event.key];
    if (!side || event.ctrlKey || event.metaKey || event.altKey || event.target === voter) { return; }
    var focused = document.activeElement && document.activeElement.closest(".pair");
    var pair = focused || next();
    if (!pair) { return; }
    if (state.votes[pair.dataset.row] !== side) { vote(pair, side); }
    // On to the next pair; after the last one to the file.
    var after = next();
    var place = after ? after.querySelector("h3") : document.getElementById("save");
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: after ? "start" : "center" });
    event.preventDefault();
  });
  voter.value = state.voter;
  voter.addEventListener("input", function () { state.voter = voter.value; keep(); });
  function cell(value) {
    return /[",\r\n]/.test(value) ? "\"" + value.replace(/"/g, "\"\"") + "\"" : value;
  }
  document.getElementById("save").addEventListener("click", function () {
    var rows = data.rows.map(function (row, place) {
      var filled = row.slice();
      if (place) { filled[filled.length - 1] = state.votes[row[0]] || ""; }
      return filled.map(cell).join(",");
    });
    var file = new Blob(["\ufeff" + rows.join("\r\n") + "\r\n"], { type: "text/csv" });
    var link = document.createElement("a");
    var who = voter.value.trim().replace(/[^\p{L}\p{N}_-]+/gu, "_");
    link.href = URL.createObjectURL(file);
    link.download = data.name + "-" + (who || "voted") + ".csv";
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  });
  show();
})();

// Keyboard shortcuts, declared by the page: see templates/includes/shortcuts.html.
// Nothing here is the only way to do something, and no key is taken while somebody types.
(function () {
  "use strict";
  var dialog = document.getElementById("shortcuts");
  if (!dialog) return;
  var current = null;

  function rows() {
    return Array.prototype.slice.call(document.querySelectorAll("[data-key-row]"));
  }

  function go(step) {
    var all = rows();
    if (!all.length) return;
    var held = document.activeElement && document.activeElement.closest("[data-key-row]");
    var at = all.indexOf(held || current);
    current = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
    current.focus();
    current.scrollIntoView({ block: "nearest" });
  }

  function act(element) {
    if (element.matches("input:not([type=checkbox]), select, textarea")) {
      element.focus();
      if (element.select) element.select();
    } else {
      element.click();
    }
  }

  // What is declared in a row is meant for the row that has the focus.
  function declared(key) {
    var all = Array.prototype.slice.call(document.querySelectorAll("[data-key]"));
    var row = document.activeElement && document.activeElement.closest("[data-key-row]");
    return all.find(function (element) {
      var own = element.closest("[data-key-row]");
      return element.dataset.key === key && !element.hidden && (!own || own === row);
    });
  }

  function help() {
    var told = {};
    var list = dialog.querySelector("dl");
    list.querySelectorAll("[data-from-page]").forEach(function (part) { part.remove(); });
    document.querySelectorAll("[data-key][data-key-help]").forEach(function (element) {
      if (told[element.dataset.key]) return;
      told[element.dataset.key] = true;
      var term = document.createElement("dt");
      var key = document.createElement("kbd");
      var what = document.createElement("dd");
      key.textContent = element.dataset.key;
      what.textContent = element.dataset.keyHelp;
      term.append(key);
      [term, what].forEach(function (part) { part.dataset.fromPage = ""; });
      list.append(term, what);
    });
    dialog.querySelectorAll("[data-key-rows]").forEach(function (part) { part.hidden = !rows().length; });
    dialog.showModal();
  }

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.isComposing || event.repeat && event.key === "?") return;
    if (event.ctrlKey || event.altKey || event.metaKey || dialog.open) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    var element = declared(event.key);
    if (event.key === "?") help();
    else if (event.key === "j" && rows().length) go(1);
    else if (event.key === "k" && rows().length) go(-1);
    else if (element) act(element);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-shortcuts-open]")) help();
  });
})();

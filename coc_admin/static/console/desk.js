// The desk as a flow: rows open beside the list, and a decision leads to the next order, without
// loading the page. Without this file the same links and forms load it.
(function () {
  "use strict";
  var desk = document.getElementById("desk");
  if (!desk || !window.fetch || !window.DOMParser) return;
  var wide = window.matchMedia("(min-width: 75rem)");
  var latest = 0;
  var waiting = null;

  function read(html) {
    return new DOMParser().parseFromString(html, "text/html");
  }

  function side() {
    return document.getElementById("desk-side");
  }

  function rowOf(address) {
    var key = new URL(address, location.href).searchParams.get("order");
    var tick = key && desk.querySelector('input[name=order][value="' + CSS.escape(key) + '"]');
    return tick && tick.closest("tr");
  }

  function mark(address) {
    desk.querySelectorAll("tr[aria-current]").forEach(function (row) { row.removeAttribute("aria-current"); });
    var row = rowOf(address);
    if (!row) return;
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
  }

  // Beside the list the order is in sight; below the top bar it is brought there.
  function focus(element) {
    if (!element) return;
    element.focus({ preventScroll: true });
    if (!wide.matches || element.matches("tr, button")) element.scrollIntoView({ block: "nearest" });
  }

  // The heads below the filters stick under them, however high they are.
  var head = document.querySelector(".desk-head");
  if (head && window.ResizeObserver) {
    new ResizeObserver(function () {
      document.documentElement.style.setProperty("--desk-head", head.offsetHeight + "px");
    }).observe(head);
  }

  // Only the panel is asked for; an older answer never wins.
  function open(address, keepFocus, isBack) {
    var mine = ++latest;
    fetch(address, { headers: { "X-Part": "panel" } })
      .then(function (answer) {
        if (!answer.ok || answer.redirected) throw new Error("not the panel");
        return answer.text();
      })
      .then(function (html) {
        var panel = read(html).getElementById("panel");
        if (mine !== latest) return;
        if (!panel) throw new Error("no panel");
        side().replaceChildren(panel);
        desk.dataset.open = "";
        mark(address);
        if (!isBack) history.pushState(null, "", address);
        if (!keepFocus) focus(panel);
      })
      .catch(function () {
        if (mine === latest) location.assign(address);
      });
  }

  function close(address) {
    latest += 1;
    var row = desk.querySelector("tr[aria-current]");
    side().replaceChildren();
    delete desk.dataset.open;
    if (row) {
      row.removeAttribute("aria-current");
      focus(row);
    }
    history.pushState(null, "", address);
  }

  // What the server answers is the whole page: the list, how many are left, and the next order.
  function show(page, address) {
    [".page-head", "#desk"].forEach(function (place) {
      var fresh = page.querySelector(place);
      var here = document.querySelector(place);
      if (fresh && here) here.replaceWith(document.adoptNode(fresh));
    });
    desk = document.getElementById("desk");
    history.replaceState(null, "", address);
    document.dispatchEvent(new CustomEvent("coc:list"));
    mark(address);
    focus(document.querySelector("#desk [aria-invalid]") || document.querySelector("#desk [data-focus]"));
  }

  function decide(form, button) {
    var body = new FormData(form);
    if (button && button.name) body.set(button.name, button.value);
    latest += 1;
    fetch(form.action, { method: "POST", body: body })
      .then(function (answer) {
        return answer.text().then(function (html) {
          var page = read(html);
          if (!page.getElementById("desk")) throw new Error("not the desk");
          show(page, answer.redirected ? answer.url : location.href);
        });
      })
      .catch(function () {
        // The same once more, as if there was no script: the token makes it harmless.
        if (button && button.name) {
          var kept = document.createElement("input");
          kept.type = "hidden";
          kept.name = button.name;
          kept.value = button.value;
          form.append(kept);
        }
        form.submit();
      });
  }

  document.addEventListener("click", function (event) {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!desk.contains(event.target)) return;
    var link = event.target.closest("a");
    if (link && link.matches("[data-open]")) open(link.href, false, false);
    else if (link && link.matches("[data-close]")) close(link.href);
    else if (!link && !event.target.closest("button, input, label, select, summary")) {
      var row = event.target.closest("tr[data-key-row]");
      var own = row && !String(window.getSelection()) && row.querySelector("[data-open]");
      if (!own) return;
      open(own.href, false, false);
    } else return;
    event.preventDefault();
  });

  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (event.defaultPrevented || !form.matches("[data-decide]")) return;
    event.preventDefault();
    decide(form, event.submitter);
  });

  // With the panel open, moving through the rows shows each of them.
  document.addEventListener("focusin", function (event) {
    clearTimeout(waiting);
    var row = event.target;
    if (!row.matches("tr[data-key-row]") || !desk.contains(row)) return;
    if (!wide.matches || desk.dataset.open === undefined || row.hasAttribute("aria-current")) return;
    waiting = setTimeout(function () { open(row.querySelector("[data-open]").href, true, false); }, 150);
  });

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && event.target.matches("tr[data-key-row]") && desk.contains(event.target)) {
      event.preventDefault();
      open(event.target.querySelector("[data-open]").href, false, false);
    } else if (event.key === "Escape" && desk.dataset.open !== undefined && !event.target.closest("dialog")) {
      var away = desk.querySelector("[data-close]");
      if (away && !event.target.closest("input, textarea, select, details.menu[open]")) close(away.href);
    } else if (event.key === "d" && document.getElementById("shortcuts") && !document.querySelector("dialog[open]")) {
      if (event.target.closest("input, select, textarea, [contenteditable]")) return;
      var button = desk.querySelector("details[open] [data-do]:not([disabled])");
      if (!button) return;
      event.preventDefault();
      focus(button);
    }
  });

  window.addEventListener("popstate", function () {
    var key = new URL(location.href).searchParams.get("order");
    if (key) open(location.href, true, true);
    else location.reload();
  });

  // Without a script the result has the focus by its address; here at once.
  focus(document.querySelector("#desk [aria-invalid]") || document.querySelector("#desk [data-focus]"));
})();

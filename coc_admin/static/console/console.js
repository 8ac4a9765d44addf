// What moves on a page: the live part, the menus, and buttons that must not be pressed twice.
// Without this file every page works; it is then as old as its last loading.
(function () {
  "use strict";

  // --- the tab: its title and icon follow the headline of the home page ----------------------
  var plainTitle = document.title;
  var icon = document.querySelector("link[rel=icon]");
  var plainIcon = icon && icon.href;

  function showState() {
    var headline = document.querySelector("[data-tab]");
    if (!headline) return;
    document.title = (headline.dataset.tab ? headline.dataset.tab + " " : "") + plainTitle;
    var toned = icon && icon.dataset[headline.dataset.tone];
    if (icon && icon.href !== (toned || plainIcon)) icon.href = toned || plainIcon;
  }
  showState();

  // --- live part: asks again after each answer, never while the tab is hidden ---------------
  var live = document.getElementById("live");
  var timer = null;
  var failures = 0;

  function pause() {
    var said = document.querySelector("[data-live-seconds]");
    var seconds = Number(said && said.dataset.liveSeconds) || 15;
    return Math.min(seconds * Math.pow(2, failures), 60) * 1000;
  }

  function schedule() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, pause());
  }

  function note(failed) {
    failures = failed ? failures + 1 : 0;
    var sign = document.getElementById("stale");
    if (sign) sign.hidden = failures < 2;
  }

  function ask() {
    clearTimeout(timer);
    htmx.ajax("GET", live.dataset.liveUrl, { source: live, target: live, swap: "innerMorph" });
  }

  if (live && window.htmx) {
    live.addEventListener("htmx:finally:request", function (event) {
      var ctx = event.detail.ctx;
      note(!ctx.response || ctx.response.status >= 400);
      showState();
      schedule();
    });
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) clearTimeout(timer);
      else ask();
    });
    schedule();
  }

  // --- a choice that shows the page anew; without JavaScript it has a button ------------------
  document.querySelectorAll("select[data-submits]").forEach(function (select) {
    select.addEventListener("change", function () {
      select.form.requestSubmit();
    });
  });

  // --- navigation on narrow screens ---------------------------------------------------------
  var toggle = document.querySelector(".nav-toggle");
  var side = document.getElementById("navigation");
  if (toggle && side) {
    toggle.addEventListener("click", function () {
      var open = side.classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    });
  }

  // --- menus close on Escape and on a click elsewhere ---------------------------------------
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // --- a form that changes something is sent once; the server is safe against a second click -
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.querySelectorAll("button[type=submit]").forEach(function (button) {
      button.setAttribute("aria-disabled", "true");
    });
  });
  window.addEventListener("pageshow", function (event) {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach(function (form) {
      delete form.dataset.sent;
      form.querySelectorAll("button[aria-disabled]").forEach(function (button) {
        button.removeAttribute("aria-disabled");
      });
    });
  });

  // --- how long ago something was goes on counting; see format_ago for the same steps -----------
  var words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });

  function tick() {
    if (document.hidden) return;
    document.querySelectorAll("[data-ago]").forEach(function (element) {
      var time = element.matches("time") ? element : element.parentElement.previousElementSibling;
      var seconds = (Date.parse(time && time.dateTime) - Date.now()) / 1000;
      var past = Math.abs(seconds);
      // What has just been, or was days ago, says the page itself.
      if (!(past >= 60 && past < 48 * 3600)) return;
      var size = past < 3600 ? 60 : 3600;
      var text = words.format(Math.trunc(seconds / size), size === 60 ? "minute" : "hour");
      if (element.textContent !== text) element.textContent = text;
    });
  }
  setInterval(tick, 15000);

  // --- the browser's time zone is offered where one can be chosen -----------------------------
  var zone = document.querySelector("[data-zone-offer]");
  var zones = document.getElementById("time_zone");
  if (zone && zones) {
    var here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    var known = Array.prototype.some.call(zones.options, function (one) { return one.value === here; });
    if (known && zones.value !== here) {
      zone.querySelector("[data-zone-name]").textContent = here;
      zone.hidden = false;
      zone.addEventListener("click", function () {
        zones.value = here;
        zone.hidden = true;
        zones.focus();
      });
    }
  }

  // --- what is due soon counts down; without this the page shows what was left ----------------
  function countDown() {
    document.querySelectorAll("[data-until]").forEach(function (element) {
      var left = Math.max(0, Math.round((Date.parse(element.dataset.until) - Date.now()) / 1000));
      if (left >= 3600) return;
      element.textContent = left < 60 ? left + " s" : Math.floor(left / 60) + " min " + (left % 60) + " s";
    });
  }
  if (document.querySelector("[data-until]")) setInterval(countDown, 1000);
})();

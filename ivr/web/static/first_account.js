// The link that makes the first account: its secret goes from the address, where others may look, into the form.
"use strict";

function take() {
  const secret = /^#first=([\w-]+)$/.exec(location.hash)?.[1];
  if (!secret) return;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("secret").value = secret;
  document.getElementById("name").focus();
}

take();
addEventListener("hashchange", take); // it was opened where the page stood already

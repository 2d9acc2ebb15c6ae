"use strict";
// Puts Django's search for people in the place of the plain field, which stays without scripts.
// It runs before Django's own script looks for what it has to set up.
(() => {
  const plain = document.getElementById("id_user_id");
  const search = document.getElementById("search");
  // What was typed stays.
  if (plain.value === "" && window.django?.jQuery?.fn.djangoAdminSelect2) {
    plain.replaceWith(search.content);
  }
})();

// How the site's search ranks: as Sphinx does, but guides come before decisions.
var Scorer = {
  score: ([page, , , , score]) => score - (page.startsWith("adr/0") ? 20 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

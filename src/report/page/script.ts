/**
 * The page's only script: it searches the table of keys. It sets cells as text, never as markup. It shows some rows at
 * a time, so that ten thousand of them do not make a browser slow.
 */
export const SCRIPT = `
'use strict';
(() => {
  const held = document.getElementById('rows');
  if (held === null) return;
  const STEP = 100;
  const rows = JSON.parse(held.textContent).map((cells) => ({ cells, text: cells.join('\\n').toLowerCase() }));
  const body = document.querySelector('#listed tbody');
  const search = document.getElementById('search');
  const more = document.getElementById('more');
  const matches = document.getElementById('matches');
  let found = rows;
  let shown = STEP;
  const grouped = (n) => String(n).replace(/\\B(?=(\\d{3})+(?!\\d))/g, ',');
  const rowOf = ({ cells }) => {
    const row = document.createElement('tr');
    for (const cell of cells) {
      const text = row.appendChild(document.createElement('td')).appendChild(document.createElement('bdi'));
      text.textContent = cell;
    }
    return row;
  };
  const count = () => {
    const visible = Math.min(shown, found.length);
    const all = grouped(found.length) + (found.length === 1 ? ' row' : ' rows');
    matches.textContent = (visible < found.length ? grouped(visible) + ' of ' + all + ' shown' : all)
      + (found.length < rows.length ? ', of ' + grouped(rows.length) : '');
    more.hidden = visible >= found.length;
  };
  const paint = () => {
    body.replaceChildren(...found.slice(0, shown).map(rowOf));
    count();
  };
  search.addEventListener('input', () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter((word) => word !== '');
    found = rows.filter(({ text }) => words.every((word) => text.includes(word)));
    shown = STEP;
    paint();
  });
  more.addEventListener('click', () => {
    shown += STEP * 10;
    paint();
  });
  count();
})();
`;

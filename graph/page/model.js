// model.js -- the batch as the page works with it.
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);

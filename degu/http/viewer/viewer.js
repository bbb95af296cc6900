// Lists the operations of an OpenAPI 3.1 document and sends requests. Everything from the document or a response becomes
// text, never markup.
'use strict';

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'];
const EXAMPLE_DEPTH = 5;
let api = null;
let fieldCount = 0;

function meta(name) {
  return document.querySelector(`meta[name="${name}"]`).content;
}

// An element: properties that start with "on" are listeners, the others attributes.
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// What a local reference points to, with the name it has.
function resolve(node) {
  let name = '';
  for (let hops = 0; node && node.$ref && hops < 10; ++hops) {
    const steps = node.$ref.replace(/^#\//, '').split('/').map((s) => s.replace(/~1/g, '/').replace(/~0/g, '~'));
    name = steps[steps.length - 1];
    node = steps.reduce((at, step) => (at ? at[step] : undefined), api);
  }
  return {node: node || {}, name};
}

function typeText(schema) {
  const {node, name} = resolve(schema);
  if (node.enum) return node.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (node.anyOf) return node.anyOf.map(typeText).join(' | ');
  if (node.contentMediaType) return 'file';
  if (node.type === 'array') return `array of ${typeText(node.items || {})}`;
  if (name) return name;
  if (node.type === 'object' && node.additionalProperties) return `map of ${typeText(node.additionalProperties)}`;
  return [node.type || 'any', node.format ? `(${node.format})` : ''].join(' ').trim();
}

// The object within a schema, whose members are worth showing; null for plain values.
function objectOf(schema) {
  const {node} = resolve(schema);
  if (node.properties) return node;
  if (node.type === 'array') return objectOf(node.items || {});
  if (node.additionalProperties && node.additionalProperties !== true) return objectOf(node.additionalProperties);
  for (const one of node.anyOf || []) {
    const found = objectOf(one);
    if (found) return found;
  }
  return null;
}

function memberList(object) {
  const required = new Set(object.required || []);
  return make('ul', {class: 'members'}, ...Object.entries(object.properties).map(([name, schema]) => {
    const label = [make('span', {class: 'name'}, name), required.has(name) ? make('span', {class: 'required'}, '*') : null,
      ' ', make('span', {class: 'type'}, typeText(schema))];
    const inner = objectOf(schema);
    if (!inner) return make('li', {}, ...label);
    // Filled when it is opened: a type may hold itself.
    const details = make('details', {}, make('summary', {}, ...label.filter(Boolean)));
    details.addEventListener('toggle', () => {
      if (details.open && details.children.length === 1) details.append(memberList(inner));
    });
    return make('li', {}, details);
  }));
}

function schemaView(schema) {
  const object = objectOf(schema);
  return make('div', {}, make('span', {class: 'type'}, typeText(schema)), object ? memberList(object) : null);
}

function example(schema, depth = 0) {
  const {node} = resolve(schema);
  if (node.enum) return node.enum[0];
  if (node.anyOf) return example(node.anyOf[0], depth);
  switch (node.type) {
    case 'object': {
      const value = {};
      if (depth >= EXAMPLE_DEPTH) return value;
      for (const [name, member] of Object.entries(node.properties || {})) value[name] = example(member, depth + 1);
      return value;
    }
    case 'array': return depth >= EXAMPLE_DEPTH ? [] : [example(node.items || {}, depth + 1)];
    case 'integer': case 'number': return 0;
    case 'boolean': return false;
    case 'string': return '';
    default: return null;
  }
}

// A labelled input for a value of that schema: {label, input}.
function field(name, schema, required, note) {
  const {node} = resolve(schema);
  const id = `field-${++fieldCount}`;
  const isList = node.type === 'array';
  const inner = isList ? resolve(node.items || {}).node : node;
  let input;
  if (inner.contentMediaType) {
    input = make('input', {id, type: 'file', multiple: isList});
  } else if ((inner.enum || inner.type === 'boolean') && !isList) {
    const values = inner.enum || [true, false];
    input = make('select', {id}, make('option', {value: ''}, ''), ...values.map((v) => make('option', {value: v}, String(v))));
  } else {
    input = make('input', {id, type: 'text', placeholder: isList ? `${typeText(schema)}, by commas` : typeText(schema)});
  }
  const label = make('label', {for: id}, make('span', {class: 'name'}, name),
                     required ? make('span', {class: 'required'}, '*') : null, ' ', make('span', {class: 'note'}, note || ''));
  return {name, label, input, isList, isFile: Boolean(inner.contentMediaType)};
}

function valuesOf(one) {
  if (one.isFile) return [...one.input.files];
  if (one.input.value === '') return [];
  return one.isList ? one.input.value.split(',').map((part) => part.trim()) : [one.input.value];
}

function fieldGrid(fields) {
  return make('div', {class: 'fields'}, ...fields.flatMap((one) => [one.label, one.input]));
}

// The part of the form that makes the body: {element, build()} with build() giving fetch()'s body and its type.
function bodyForm(body) {
  const types = Object.keys(body.content);
  const place = make('div', {});
  let build;
  const show = (type) => {
    const schema = body.content[type].schema || {};
    if (type.includes('json')) {
      const area = make('textarea', {'aria-label': 'Body', spellcheck: 'false'});
      area.value = JSON.stringify(example(schema), null, 2);
      build = () => ({body: area.value, type});
      place.replaceChildren(area);
      return;
    }
    const object = objectOf(schema) || {properties: {}};
    const required = new Set(object.required || []);
    const fields = Object.entries(object.properties).map(([name, member]) => field(name, member, required.has(name)));
    build = () => {
      const data = type.startsWith('multipart/') ? new FormData() : new URLSearchParams();
      for (const one of fields) for (const value of valuesOf(one)) data.append(one.name, value);
      return {body: data, type: null};
    };
    place.replaceChildren(fieldGrid(fields));
  };
  const choice = make('select', {'aria-label': 'Content type', onchange: () => show(choice.value)},
                      ...types.map((type) => make('option', {}, type)));
  show(types[0]);
  return {element: make('div', {}, make('h3', {}, 'Body', body.required ? make('span', {class: 'required'}, '*') : null),
                        choice, place), build: () => build()};
}

function baseUrl() {
  const root = new URL(meta('openapi-root'), location.href);
  const server = (api.servers || [])[0];
  return new URL(server ? server.url : root, root).href.replace(/\/$/, '');
}

function requestOf(path, method, fields, body) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let target = path;
  for (const {place, one} of fields) {
    const values = valuesOf(one);
    if (place === 'path') target = target.replace(`{${one.name}}`, encodeURIComponent(values.join(',')));
    if (place === 'query') for (const value of values) query.append(one.name, value);
    if (place === 'header' && values.length) headers.set(one.name, values.join(', '));
  }
  const authorization = document.getElementById('authorization').value.trim();
  if (authorization) headers.set('Authorization', authorization);
  const options = {method: method.toUpperCase(), headers};
  if (body) {
    const built = body.build();
    options.body = built.body;
    if (built.type) headers.set('Content-Type', built.type);
  }
  const text = query.toString();
  return {url: baseUrl() + target + (text ? `?${text}` : ''), options};
}

async function bodyText(response) {
  const type = response.headers.get('content-type') || '';
  if (/json/.test(type)) {
    const text = await response.text();
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }
  if (/^text\/|xml|javascript/.test(type)) return response.text();
  const blob = await response.blob();
  return blob.size ? `${blob.size} bytes of ${type || 'unknown type'}` : '';
}

async function send(button, output, request) {
  button.disabled = true;
  const start = performance.now();
  try {
    const {url, options} = request();
    const response = await fetch(url, options);
    const text = await bodyText(response);
    const took = Math.round(performance.now() - start);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    output.replaceChildren(
        make('p', {}, make('span', {class: `status ${response.ok ? 'good' : 'bad'}`}, `${response.status} ${response.statusText}`),
             make('span', {class: 'note'}, ` ${options.method} ${url}, ${took} ms`)),
        make('pre', {}, headers), text ? make('pre', {}, text) : '');
  } catch (error) {
    output.replaceChildren(make('p', {class: 'bad'}, `No answer: ${error.message}`));
  }
  button.disabled = false;
}

function responseViews(responses) {
  return Object.entries(responses).map(([status, response]) => {
    const {node} = resolve(response);
    const label = [make('span', {class: `status ${/^[23]/.test(status) ? 'good' : 'bad'}`}, status), ` ${node.description || ''}`];
    const contents = Object.entries(node.content || {});
    if (!contents.length) return make('p', {}, ...label);
    return make('details', {open: /^2/.test(status)}, make('summary', {}, ...label), ...contents.map(([type, media]) =>
        make('div', {}, make('code', {}, type), ' ', media.schema ? schemaView(media.schema) : null)));
  });
}

function operationBody(path, method, operation) {
  const parameters = (operation.parameters || []).map((parameter) => resolve(parameter).node);
  const fields = parameters.filter((p) => p.in !== 'cookie')
      .map((p) => ({place: p.in, one: field(p.name, p.schema || {}, p.required, p.in)}));
  const cookies = parameters.filter((p) => p.in === 'cookie').map((p) => p.name);
  const body = operation.requestBody ? resolve(operation.requestBody).node : null;
  const form = body ? bodyForm(body) : null;
  const output = make('div', {'aria-live': 'polite'});
  const button = make('button', {type: 'button', onclick: () =>
      send(button, output, () => requestOf(path, method, fields, form))}, 'Send');
  const canSend = method !== 'trace';  // browsers forbid it
  return make('div', {},
      operation.description ? make('p', {}, operation.description) : null,
      fields.length ? make('h3', {}, 'Parameters') : null, fields.length ? fieldGrid(fields.map((f) => f.one)) : null,
      cookies.length ? make('p', {class: 'note'}, `Cookies, which the browser sends by itself: ${cookies.join(', ')}`) : null,
      form ? form.element : null,
      body ? make('details', {}, make('summary', {}, 'Schema of the body'), schemaView(Object.values(body.content)[0].schema || {}))
           : null,
      canSend ? button : null, output, make('h3', {}, 'Responses'), ...responseViews(operation.responses || {}));
}

function operationView(path, method, operation) {
  const details = make('details', {class: `operation${operation.deprecated ? ' deprecated' : ''}`, id: operation.operationId},
      make('summary', {}, make('span', {class: `method ${method}`}, method), make('span', {class: 'path'}, path),
           make('span', {class: 'about'}, operation.summary || '')));
  details.dataset.text = `${method} ${path} ${operation.summary || ''} ${operation.operationId || ''}`.toLowerCase();
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(operationBody(path, method, operation));
  });
  return details;
}

function show() {
  document.title = api.info.title;
  document.getElementById('title').replaceChildren(api.info.title, ' ', make('small', {}, api.info.version));
  document.getElementById('about').textContent = api.info.description || '';
  const groups = new Map((api.tags || []).map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tags = item[method].tags || ['Other'];
      for (const tag of tags) {
        if (!groups.has(tag)) groups.set(tag, []);
        groups.get(tag).push(operationView(path, method, item[method]));
      }
    }
  }
  const sections = [...groups].filter(([, views]) => views.length).map(([tag, views]) =>
      make('section', {}, make('h2', {}, tag), ...views));
  document.getElementById('operations').replaceChildren(...(sections.length ? sections : [make('p', {}, 'No operations.')]));
  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted && wanted.tagName === 'DETAILS') {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

function filter(event) {
  const wanted = event.target.value.trim().toLowerCase();
  for (const section of document.querySelectorAll('main section')) {
    const views = [...section.querySelectorAll('.operation')];
    for (const view of views) view.hidden = !view.dataset.text.includes(wanted);
    section.hidden = views.every((view) => view.hidden);
  }
}

async function start() {
  document.getElementById('filter').addEventListener('input', filter);
  try {
    const response = await fetch(new URL(meta('openapi-document'), location.href));
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    api = await response.json();
    show();
  } catch (error) {
    document.getElementById('operations').replaceChildren(make('p', {class: 'bad'}, `The document cannot be read: ${error.message}`));
  }
}

start();

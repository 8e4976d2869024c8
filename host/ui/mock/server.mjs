// A host that is not there: serves the built page and the shapes of /api/v1 over made-up data, for working on the
// page and for looking at it. It listens on loopback only. `POST /mock/NAME` makes things happen: `stop` and
// `start` the feed, `users` and `nobody` whether a viewer is logged in, `swap`, `drop` the streams, `fault`; `block` and `unblock` dispatch; `supersede` what waits; `down` and `up` make every answer a 503.
// What orders something needs the token `mock-token`.
//
//   node mock/server.mjs [--port 8380] [--page dist] [--twins 240] [--recorded] [--hours 2]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { House } from './house.mjs';

const { values: options } = parseArgs({ options: {
  port: { type: 'string', default: '8380' }, page: { type: 'string', default: 'dist' },
  twins: { type: 'string', default: '240' }, recorded: { type: 'boolean', default: false }, hours: { type: 'string', default: '2' },
} });
const house = new House(Number(options.twins), options.recorded, Number(options.hours));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const TOKEN = 'mock-token';
let down = false;

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

const refuse = (response, status, code, message) => json(response, status, { error: { code, message } });

async function file(response, path) {
  const name = normalize(path === '/' ? '/index.html' : path);
  try {
    const bytes = await readFile(join(options.page, name));
    response.writeHead(200, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': "default-src 'self'; style-src 'self' 'unsafe-inline'",
    });
    response.end(bytes);
  } catch {
    refuse(response, 404, 'not-found', `there is no ${path}`);
  }
}

async function bodyOf(request) {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? {} : JSON.parse(text);
}

/** What orders something: the token first, then the body. */
async function order(request, response, parts) {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'token-required', 'this is not the token of this host');
  const { by = 'token', ...plan } = await bodyOf(request);
  if (parts[1] === 'plan') return json(response, 200, house.rollouts.preview(plan));
  const done = parts[1] === undefined ? house.rollouts.start(plan, by) : house.rollouts.order(Number(parts[1]), parts[2], by);
  return done.body === undefined ? refuse(response, done.status, done.code, done.message) : json(response, done.status, done.body);
}

function rollouts(request, response, parts) {
  if (request.method === 'POST') return void order(request, response, parts);
  const all = house.rollouts.list;
  if (parts[1] === undefined) return json(response, 200, { rollouts: all.map((one) => ({ ...one, evidence: null, phases: one.phases.map((phase) => ({ ...phase, evidence: null })) })).reverse() });
  const one = all.find((rollout) => String(rollout.id) === parts[1]);
  return one === undefined ? refuse(response, 404, 'not-found', `there is no rollout ${parts[1]}`) : json(response, 200, one);
}

/** Orders to alarms: the token first, then the body. */
async function alarms(request, response, parts, limit) {
  if (request.method !== 'POST') return json(response, 200, house.alarms.view(limit));
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'token-required', 'this is not the token of this host');
  const done = house.alarms.order(parts[1], parts[2], parts[3], await bodyOf(request));
  return done.body === undefined ? refuse(response, done.status, done.code, done.message) : json(response, done.status, done.body);
}

/** Commands, targets and authority: whatever orders something needs the token first. */
async function control(request, response, parts, ask) {
  const { commands, targets } = house;
  if (request.method === 'POST') {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'token-required', 'this is not the token of this host');
    const body = await bodyOf(request);
    const done = parts[0] === 'twins' ? targets.orderAuthority(parts[1], body)
      : parts[0] === 'targets' ? targets.order(parts[1], parts[2], parts[3], body, commands.openOf)
        : parts[1] === undefined ? commands.propose(body) : commands.order(parts[1], parts[2], body);
    return done.body === undefined ? refuse(response, done.status, done.code, done.message) : json(response, done.status, done.body);
  }
  const twin = parts[0] === 'twins' ? parts[1] : ask.get('twin');
  if (twin !== null && house.find(twin) === undefined) return refuse(response, 404, 'not-found', `there is no twin ${twin}`);
  if (parts[0] === 'twins') return json(response, 200, targets.authority(twin));
  if (parts[0] === 'targets') return json(response, 200, targets.view(twin, commands.dispatch(), commands.openOf));
  if (parts[1] === undefined) return json(response, 200, commands.view(ask));
  const one = commands.find(parts[1]);
  return one === undefined ? refuse(response, 404, 'not-found', `there is no command ${parts[1]}`) : json(response, 200, commands.detail(one));
}

/** Who looks, and that one's password. */
async function session(request, response, parts) {
  if (house.person === null) return refuse(response, 404, 'not-found', 'this mock has no sessions now');
  if (request.method === 'GET') return json(response, 200, { name: house.person.name, kind: 'person', owner: null, roles: ['viewer'], twins: ['*'], users: true });
  if (parts[1] !== 'password') return refuse(response, 405, 'method-not-allowed', 'that is not possible here');
  const { current, new: next } = await bodyOf(request);
  if (current !== house.person.password) return refuse(response, 403, 'wrong-password', 'this is not your present password');
  house.person.password = next;
  response.writeHead(204).end();
}

/** Certificates: whatever orders something needs the token first. */
async function certificates(request, response, parts) {
  if (request.method === 'GET') return json(response, 200, house.certificates.view());
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'token-required', 'this is not the token of this host');
  const { by = 'token' } = await bodyOf(request);
  const [side, digest, order] = parts[1] === 'clients' ? ['client', ...parts.slice(2)] : ['server', ...parts.slice(1)];
  const done = house.certificates.order(side, digest, request.method === 'DELETE' ? 'remove' : order, by);
  if (done.status === 204) return response.writeHead(204).end();
  return done.body === undefined ? refuse(response, done.status, done.code, done.message) : json(response, done.status, done.body);
}

function api(request, response, url) {
  const parts = url.pathname.split('/').slice(3).map(decodeURIComponent);
  const ask = url.searchParams;
  if (parts[0] === 'site') return json(response, 200, house.site());
  if (parts[0] === 'session') return void session(request, response, parts);
  if (parts[0] === 'certificates') return void certificates(request, response, parts);
  if (parts[0] === 'plugins') return json(response, 200, house.plugins());
  if (parts[0] === 'journal') return json(response, 200, house.journal(Number(ask.get('limit') ?? 100), Number(ask.get('before') ?? Infinity), ask.get('twin')));
  if (parts[0] === 'rollouts') return rollouts(request, response, parts);
  if (parts[0] === 'alarms') return void alarms(request, response, parts, Number(ask.get('limit') ?? 200));
  if (parts[0] === 'commands' || parts[0] === 'targets' || (parts[0] === 'twins' && parts[2] === 'authority')) return void control(request, response, parts, ask);
  if (parts[0] === 'events') {
    const stranger = (ask.get('twins') ?? '').split(',').find((id) => id !== '' && house.find(id) === undefined);
    return stranger === undefined ? house.stream(request, response, ask) : refuse(response, 404, 'not-found', `there is no twin ${stranger}`);
  }
  if (parts[0] !== 'twins') return refuse(response, 404, 'not-found', `there is no ${url.pathname}`);
  if (parts[1] === undefined) return json(response, 200, house.twins(ask.get('search') ?? '', ask.get('state') ?? '', ask.get('after') ?? '', Number(ask.get('limit') ?? 100)));
  const twin = house.find(parts[1]);
  if (twin === undefined) return refuse(response, 404, 'not-found', `there is no twin ${parts[1]}`);
  if (parts[2] === undefined) return json(response, 200, house.detail(twin));
  if (parts[2] === 'thread') {
    const done = house.threads.view(twin, ask);
    return done.body === undefined ? refuse(response, done.status, done.code, done.message) : json(response, 200, done.body);
  }
  const points = (ask.get('points') ?? '').split(',').filter(Boolean);
  return json(response, 200, house.history(twin, points, Number(ask.get('from')), Number(ask.get('to')), Number(ask.get('buckets') ?? 1000)));
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://mock');
  if (url.pathname.startsWith('/mock/')) {
    const name = url.pathname.slice(6);
    if (name === 'down' || name === 'up') down = name === 'down';
    if (down) house.drop();
    if (house[name] instanceof Function) house[name]();
    return json(response, 200, { done: name });
  }
  if (down) return refuse(response, 503, 'not-ready', 'the host is starting');
  return url.pathname.startsWith('/api/v1/') ? api(request, response, url) : void file(response, url.pathname);
});
server.listen(Number(options.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
setInterval(() => house.step(Date.now()), 500);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));

// A host application that follows one edge node, driven by JSON lines on standard input; what it knows stands on standard output.
//   node application.mjs PORT GROUP NODE
// It keeps what births and data say, and notes as faults whatever the specification does not allow: numbers that do not follow,
// aliases that no birth has given or that two metrics share, a death of another session than the one that was born. It asks for
// births only when it is told to. Numbers cross as the bits of a double.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const mqtt = require("mqtt");
const sparkplug = require("sparkplug-payload").get("spBv1.0");
const [port, group, node] = process.argv.slice(2);

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const view = new DataView(new ArrayBuffer(8));
const bits = (value) => (view.setFloat64(0, value), "0x" + view.getBigUint64(0).toString(16));

const known = {
  online: false,
  births: 0,
  deaths: 0,
  bornAs: null,
  diedAs: null,
  layer: null,
  // Messages of data that came while nobody was born here.
  unborn: 0,
  // Metrics in data, by how they were named.
  byAlias: 0,
  byName: 0,
  devices: {},
  faults: [],
};
let next = null;
let aliases = new Map();

const fault = (what) => known.faults.push(what);
const number = (value) => (value === null || value === undefined ? null : Number(value));

function follows(kind, seq) {
  if (kind === "NBIRTH" ? seq !== 0 : seq !== next) fault(`${kind} has the number ${seq}, ${next} was to come`);
  next = (seq + 1) % 256;
}

const told = (metric) => ({
  type: metric.type,
  bits: metric.type === "Double" && typeof metric.value === "number" ? bits(metric.value) : null,
  text: typeof metric.value === "string" ? metric.value : null,
  quality: number(metric.properties?.Quality?.value),
  time: number(metric.timestamp),
});

function birthOfDevice(device, metrics) {
  const own = { online: true, births: (known.devices[device]?.births ?? 0) + 1, metrics: {} };
  known.devices[device] = own;
  for (const metric of metrics) {
    const alias = number(metric.alias);
    const holder = aliases.get(alias);
    if (alias === null || (holder && !(holder.device === device && holder.name === metric.name))) {
      fault(`${metric.name} of ${device} is born with the alias ${alias}, which is ${JSON.stringify(holder)}'s`);
    }
    if (metric.name in own.metrics) fault(`${metric.name} of ${device} is born twice`);
    aliases.set(alias, { device, name: metric.name });
    own.metrics[metric.name] = { ...told(metric), unit: metric.properties?.engUnit?.value ?? null };
  }
}

function dataOfDevice(device, metrics) {
  for (const metric of metrics) {
    if (metric.name) known.byName += 1;
    else known.byAlias += 1;
    const holder = metric.name ? { device, name: metric.name } : aliases.get(number(metric.alias));
    const own = known.devices[device]?.metrics[holder?.name];
    if (!own || holder.device !== device) {
      fault(`data of ${device} has the alias ${number(metric.alias)}, which is ${JSON.stringify(holder)}'s`);
      continue;
    }
    const { type, ...now } = told(metric);
    if (type !== own.type) fault(`${holder.name} was born as ${own.type}, and is ${type}`);
    Object.assign(own, now);
  }
}

const session = (metrics) => number(metrics.find((metric) => metric.name === "bdSeq")?.value);

function take(kind, device, { seq, metrics = [] }) {
  const numbered = number(seq);
  switch (kind) {
    case "NBIRTH":
      follows(kind, numbered);
      aliases = new Map();
      for (const own of Object.values(known.devices)) own.online = false;
      known.online = true;
      known.births += 1;
      known.bornAs = session(metrics);
      known.layer = metrics.find((metric) => metric.name === "Properties/Layer")?.value ?? null;
      return;
    case "NDEATH":
      // The death of an earlier session, that comes late.
      if (known.online && session(metrics) !== known.bornAs) return fault(`the death is of ${session(metrics)}`);
      known.online = false;
      known.deaths += 1;
      known.diedAs = session(metrics);
      for (const own of Object.values(known.devices)) own.online = false;
      return;
    case "DBIRTH":
    case "DDATA":
    case "DDEATH":
      if (!known.online) return void (known.unborn += 1);
      follows(kind, numbered);
      if (kind === "DBIRTH") birthOfDevice(device, metrics);
      else if (kind === "DDATA") dataOfDevice(device, metrics);
      else known.devices[device].online = false;
      return;
    default:
      fault(`${kind} is no message of an edge node of ours`);
  }
}

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clean: true, reconnectPeriod: 200 });
client.on("connect", () => {
  client.subscribe([`spBv1.0/${group}/+/${node}`, `spBv1.0/${group}/+/${node}/#`], { qos: 1 }, (error) => {
    if (error) throw error;
    say({ said: "subscribed" });
  });
});
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
client.on("message", (topic, payload) => {
  const [, , kind, , device] = topic.split("/");
  if (kind === "NCMD") return;
  take(kind, device, sparkplug.decodePayload(payload));
});

const deeds = {
  show: () => say({ said: "shows", known }),
  rebirth: () => {
    const metrics = [{ name: "Node Control/Rebirth", type: "Boolean", value: true }];
    const payload = Buffer.from(sparkplug.encodePayload({ timestamp: Date.now(), metrics }));
    client.publish(`spBv1.0/${group}/NCMD/${node}`, payload, { qos: 0 }, () => say({ said: "asked" }));
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => deeds[JSON.parse(line).do]());
// Whoever started it is gone.
lines.on("close", () => process.exit(0));

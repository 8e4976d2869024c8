// An edge node with one device, driven by JSON lines on standard input; what it has published stands on standard output.
//   node edge.mjs PORT GROUP NODE DEVICE
// It is born when it connects and when somebody asks for a rebirth. Numbers cross as the bits of a double, so that both
// sides hold the same.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { newClient } = createRequire(import.meta.url)("sparkplug-client");
const [port, groupId, edgeNode, device] = process.argv.slice(2);

const METRICS = [
  { name: "Motor/Temperature", alias: 1, type: "Double" },
  { name: "Motor/Speed", alias: 2, type: "Float" },
  { name: "Starts", alias: 3, type: "Int64" },
  { name: "Running", alias: 4, type: "Boolean" },
];
const UNKNOWN_ALIAS = 999;
const held = { "Motor/Temperature": 20, "Motor/Speed": 0, Starts: 0, Running: false };

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const view = new DataView(new ArrayBuffer(8));
const number = (bits) => (view.setBigUint64(0, BigInt(bits)), view.getFloat64(0));
const bits = (value) => (view.setFloat64(0, Number(value)), "0x" + view.getBigUint64(0).toString(16));

let last = 0;
// No two messages of one millisecond: the times of samples tell them apart.
const now = () => (last = Math.max(last + 1, Date.now()));

const client = newClient({
  serverUrl: `mqtt://127.0.0.1:${port}`,
  username: "edge",
  password: "edge",
  groupId,
  edgeNode,
  clientId: `${groupId}-${edgeNode}`,
  version: "spBv1.0",
});

function births() {
  const timestamp = now();
  const control = { name: "Node Control/Rebirth", type: "Boolean", value: false, timestamp };
  client.publishNodeBirth({ timestamp, metrics: [control] });
  deviceBirth();
}

function deviceBirth() {
  const timestamp = now();
  client.publishDeviceBirth(device, {
    timestamp,
    metrics: METRICS.map((metric) => ({ ...metric, value: held[metric.name], timestamp })),
  });
  tell("born", Object.keys(held));
}

function data(values) {
  const timestamp = now();
  for (const [name, bits] of Object.entries(values)) {
    const { type } = METRICS.find((metric) => metric.name === name);
    held[name] = type === "Boolean" ? number(bits) !== 0 : number(bits);
  }
  const sent = METRICS.filter((metric) => metric.name in values);
  const metrics = sent.map(({ name, alias, type }) => ({ alias, type, value: held[name], timestamp }));
  client.publishDeviceData(device, { timestamp, metrics });
  return Object.keys(values);
}

const tell = (said, names) =>
  say({ said, values: Object.fromEntries(names.map((name) => [name, bits(held[name])])) });

const deeds = {
  data: ({ values }) => tell("data", data(values)),
  // A message is lost: its number is used, and nobody gets it. The one after it comes too early.
  lose: ({ values }) => {
    client.incrementSeqNum();
    data(values);
    say({ said: "lost" });
  },
  // An alias that no birth has given.
  stray: () => {
    const timestamp = now();
    const metric = { alias: UNKNOWN_ALIAS, type: "Double", value: 1, timestamp };
    client.publishDeviceData(device, { timestamp, metrics: [metric] });
    say({ said: "strayed" });
  },
  "device-death": () => {
    client.publishDeviceDeath(device, { timestamp: now() });
    say({ said: "device-died" });
  },
  "device-birth": deviceBirth,
};

client.on("birth", births);
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
client.on("ncmd", (payload) => {
  if (payload.metrics?.some((metric) => metric.name === "Node Control/Rebirth" && metric.value === true)) {
    say({ said: "asked" });
    births();
  }
});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  deeds[command.do](command);
});
// Whoever started it is gone.
lines.on("close", () => process.exit(0));

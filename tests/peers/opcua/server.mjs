// An OPC UA server of node-opcua, driven by JSON lines on standard input; what it did stands on standard output.
//   node server.mjs PORT FOLDER
// One object `pump-1` with a variable of each type, one that may be written and a method. Numbers cross as the bits of a
// double, so that both sides hold the same. FOLDER keeps the certificate; it is made where there is none.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const opcua = createRequire(import.meta.url)("node-opcua");
const { DataType, DataValue, MessageSecurityMode, OPCUACertificateManager, SecurityPolicy, StatusCodes, Variant } = opcua;
const [port, folder] = process.argv.slice(2);

const URI = "urn:geminus:test";
const TYPES = {
  double: DataType.Double,
  float: DataType.Float,
  sbyte: DataType.SByte,
  byte: DataType.Byte,
  int16: DataType.Int16,
  uint16: DataType.UInt16,
  int32: DataType.Int32,
  uint32: DataType.UInt32,
  int64: DataType.Int64,
  uint64: DataType.UInt64,
  boolean: DataType.Boolean,
  setpoint: DataType.Double,
  whole: DataType.Int16,
};

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const view = new DataView(new ArrayBuffer(8));
const number = (bits) => (view.setBigUint64(0, BigInt(bits)), view.getFloat64(0));
const bits = (value) => (view.setFloat64(0, Number(value)), "0x" + view.getBigUint64(0).toString(16).padStart(16, "0"));

// 64-bit integers are [high, low] here.
const halves = (value) => {
  const whole = BigInt.asUintN(64, BigInt(value));
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
};
const convert = (name, value) => {
  switch (TYPES[name]) {
    case DataType.Boolean:
      return value !== 0;
    case DataType.Int64:
    case DataType.UInt64:
      return halves(value);
    default:
      return value;
  }
};

const plain = (value) => {
  if (!Array.isArray(value)) return value;
  const [high, low] = value;
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
};

let last = 0;
// No two values of one time: the times of samples tell them apart.
const now = () => new Date((last = Math.max(last + 1, Date.now())));

mkdirSync(folder, { recursive: true });
const serverCertificateManager = new OPCUACertificateManager({
  rootFolder: join(folder, "pki"),
  automaticallyAcceptUnknownCertificate: true,
});
await serverCertificateManager.initialize();
const certificateFile = join(folder, "cert.pem");
if (!existsSync(certificateFile)) {
  await serverCertificateManager.createSelfSignedCertificate({
    applicationUri: URI,
    subject: "/CN=node-opcua test server",
    // The address goes in as a name: clients compare texts.
    dns: ["127.0.0.1", "localhost"],
    startDate: new Date(Date.now() - 86_400_000),
    validity: 30,
    outputFile: certificateFile,
  });
}

const server = new opcua.OPCUAServer({
  port: Number(port),
  hostname: "127.0.0.1",
  serverCertificateManager,
  certificateFile,
  privateKeyFile: serverCertificateManager.privateKey,
  serverInfo: { applicationUri: URI, productUri: URI },
  allowAnonymous: true,
  securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
  securityPolicies: [
    SecurityPolicy.None,
    SecurityPolicy.Basic256Sha256,
    SecurityPolicy.Aes128_Sha256_RsaOaep,
    SecurityPolicy.Aes256_Sha256_RsaPss,
  ],
  userManager: { isValidUser: (user, password) => user === "ann" && password === "secret" },
});
await server.initialize();

const space = server.engine.addressSpace;
const namespace = space.registerNamespace(URI);
const pump = namespace.addObject({
  organizedBy: space.rootFolder.objects,
  browseName: "pump-1",
  nodeId: "s=pump-1",
});
const nodes = {};
for (const [name, dataType] of Object.entries(TYPES)) {
  nodes[name] = namespace.addVariable({
    componentOf: pump,
    browseName: name,
    nodeId: `s=pump-1.${name}`,
    dataType,
    accessLevel: name === "setpoint" || name === "whole" ? "CurrentRead | CurrentWrite" : "CurrentRead",
    userAccessLevel: name === "setpoint" || name === "whole" ? "CurrentRead | CurrentWrite" : "CurrentRead",
    minimumSamplingInterval: 0,
    value: { dataType, arrayType: opcua.VariantArrayType.Scalar, value: convert(name, 0) },
  });
}
namespace.addVariable({
  componentOf: pump,
  browseName: "text",
  nodeId: "s=pump-1.text",
  dataType: DataType.String,
  value: { dataType: DataType.String, value: "idle" },
});
namespace.addVariable({
  componentOf: pump,
  browseName: "curve",
  nodeId: "s=pump-1.curve",
  dataType: DataType.Double,
  valueRank: 1,
  value: { dataType: DataType.Double, arrayType: opcua.VariantArrayType.Array, value: new Float64Array([1, 2]) },
});
namespace
  .addMethod(pump, {
    browseName: "setSpeed",
    nodeId: "s=pump-1.setSpeed",
    inputArguments: [{ name: "speed", dataType: DataType.Double, valueRank: -1, description: { text: "" } }],
    outputArguments: [],
  })
  .bindMethod((inputs, context, done) => {
    const [{ value }] = inputs;
    if (value < 0) return done(null, { statusCode: StatusCodes.BadOutOfRange });
    say({ said: "called", bits: bits(value) });
    return done(null, { statusCode: StatusCodes.Good, outputArguments: [] });
  });

const status = (code) => opcua.getStatusCodeFromCode(code ?? 0);
function put(name, value, code) {
  const arrayType = opcua.VariantArrayType.Scalar;
  const variant = new Variant({ dataType: TYPES[name], arrayType, value: convert(name, value) });
  nodes[name].setValueFromSource(variant, status(code), now());
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const deeds = {
  set: ({ name, bits, status }) => put(name, number(bits), status),
  count: async ({ name, from, to, period_ms }) => {
    for (let value = from; value < to; value++) {
      put(name, value);
      await pause(period_ms);
    }
  },
};

await server.start();
say({ said: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.do === "held") {
    const { dataType, value } = nodes[order.name].readValue().value;
    const whole = dataType === DataType.UInt64 ? BigInt.asUintN(64, plain(value)) : plain(value);
    say({ said: "held", bits: bits(whole) });
    continue;
  }
  await deeds[order.do](order);
  say({ said: order.do });
}
process.exit(0);

// An OPC UA client of node-opcua, driven by JSON lines on standard input; what it found stands on standard output.
//   node client.mjs URL FOLDER none|aes256sha256rsapss [USER]
// The password stands in OPCUA_PASSWORD. Numbers cross as the bits of a double, so that both sides hold the same; times in
// milliseconds. FOLDER keeps the certificate; it is made where there is none.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const opcua = createRequire(import.meta.url)("node-opcua");
const { AttributeIds, DataType, MessageSecurityMode, OPCUACertificateManager, SecurityPolicy, TimestampsToReturn } = opcua;
const [url, folder, security, user] = process.argv.slice(2);
const URI = "urn:geminus:test";

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const view = new DataView(new ArrayBuffer(8));
const bits = (value) => (view.setFloat64(0, value), "0x" + view.getBigUint64(0).toString(16).padStart(16, "0"));

// A value as the test reads it.
function told(node, { value, statusCode, sourceTimestamp }) {
  const held = value?.value ?? null;
  return {
    node,
    status: statusCode.value,
    time_ms: sourceTimestamp ? sourceTimestamp.getTime() : null,
    bits: typeof held === "number" ? bits(held) : null,
    text: held !== null && typeof held !== "number" ? String(held) : null,
  };
}

mkdirSync(folder, { recursive: true });
const clientCertificateManager = new OPCUACertificateManager({
  rootFolder: join(folder, "pki"),
  automaticallyAcceptUnknownCertificate: true,
});
await clientCertificateManager.initialize();
const certificateFile = join(folder, "cert.pem");
if (!existsSync(certificateFile)) {
  await clientCertificateManager.createSelfSignedCertificate({
    applicationUri: URI,
    subject: "/CN=node-opcua test client",
    dns: ["127.0.0.1", "localhost"],
    startDate: new Date(Date.now() - 86_400_000),
    validity: 30,
    outputFile: certificateFile,
  });
}
const secured = security !== "none";
const client = opcua.OPCUAClient.create({
  applicationName: "node-opcua test client",
  applicationUri: URI,
  clientCertificateManager,
  certificateFile,
  privateKeyFile: clientCertificateManager.privateKey,
  securityMode: secured ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
  securityPolicy: secured ? SecurityPolicy.Aes256_Sha256_RsaPss : SecurityPolicy.None,
  endpointMustExist: false,
  connectionStrategy: { maxRetry: 0 },
});
const identity = user
  ? { type: opcua.UserTokenType.UserName, userName: user, password: process.env.OPCUA_PASSWORD }
  : { type: opcua.UserTokenType.Anonymous };
let session, space;
try {
  await client.connect(url);
  session = await client.createSession(identity);
  space = (await session.readNamespaceArray()).indexOf("urn:geminus:twins:1");
} catch (error) {
  say({ said: "refused", reason: String(error.message) });
  process.exit(0);
}

const id = (name) => (name ? `ns=${space};s=${name}` : "ObjectsFolder");
const seen = [];
const deeds = {
  browse: async ({ node }) => {
    const { references } = await session.browse(id(node));
    const names = references.map((one) => ({
      name: one.browseName.name,
      node: String(one.nodeId.value),
      type: String(one.typeDefinition.value),
    }));
    return { names };
  },
  read: async ({ nodes }) => {
    const asked = nodes.map((name) => ({ nodeId: id(name), attributeId: AttributeIds.Value }));
    const values = await session.read(asked);
    return { values: values.map((value, place) => told(nodes[place], value)) };
  },
  write: async ({ node }) => {
    const value = { value: { dataType: DataType.Double, value: 7 } };
    const status = await session.write({ nodeId: id(node), attributeId: AttributeIds.Value, value });
    return { status: status.value };
  },
  watch: async ({ nodes, sampling_ms }) => {
    const subscription = await session.createSubscription2({
      requestedPublishingInterval: 100,
      requestedMaxKeepAliveCount: 10,
      requestedLifetimeCount: 100,
      publishingEnabled: true,
      maxNotificationsPerPublish: 0,
      priority: 0,
    });
    for (const node of nodes) {
      const parameters = { samplingInterval: sampling_ms, queueSize: 100, discardOldest: true };
      const what = { nodeId: id(node), attributeId: AttributeIds.Value };
      const item = await subscription.monitor(what, parameters, TimestampsToReturn.Both);
      item.on("changed", (value) => seen.push(told(node, value)));
    }
    return {};
  },
  values: async () => ({ values: seen }),
};

say({ said: "connected", namespace: space });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  say({ said: order.do, ...(await deeds[order.do](order)) });
}
await session.close();
await client.disconnect();
process.exit(0);

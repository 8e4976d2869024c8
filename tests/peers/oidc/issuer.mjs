// An OpenID provider, driven by JSON lines on standard input; what it has to say stands on standard output.
//   node issuer.mjs PORT REDIRECT
// People log in without being asked: as whom it was told last. Its keys are made at its start, so that another start has others.
// Secrets come from the environment: GEMINUS_SECRET of the host, HISTORIAN_SECRET of a program. With the files GEMINUS_CERTIFICATE and
// GEMINUS_KEY it speaks https; the authority that has signed the certificate is NODE_EXTRA_CA_CERTS.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecured } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const { GEMINUS_CERTIFICATE: certificate, GEMINUS_KEY: itsKey } = process.env;
const name = `${certificate ? "https" : "http"}://127.0.0.1:${port}`;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const fresh = () => randomBytes(6).toString("hex");
const key = (kind, options, more) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), use: "sig", kid: `${kind}-${fresh()}`, ...more };
};

let who = { sub: "1", preferred_username: "nobody", groups: [] };
let readers = ["readers"];
const people = new Map();

const provider = new Provider(name, {
  clients: [
    {
      client_id: "geminus",
      client_secret: process.env.GEMINUS_SECRET,
      redirect_uris: [redirect],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
      id_token_signed_response_alg: "ES256",
    },
    {
      client_id: "historian",
      client_secret: process.env.HISTORIAN_SECRET,
      redirect_uris: [],
      grant_types: ["client_credentials"],
      response_types: [],
    },
  ],
  jwks: { keys: [key("rsa", { modulusLength: 2048 }, { alg: "RS256" }), key("ec", { namedCurve: "P-256" }, { alg: "ES256" })] },
  cookies: { keys: [fresh()] },
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  // What is asked for stands in the token of the login, where the host looks.
  conformIdTokenClaims: false,
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
  findAccount: (_, sub) => ({ accountId: sub, claims: async () => people.get(sub) ?? { sub } }),
  interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
  extraTokenClaims: () => ({ groups: readers }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: () => ({
        scope: "", audience: "geminus-api", accessTokenTTL: 300, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

const answer = provider.callback();
const answered = (request, response) => {
  if (!request.url.startsWith("/login/")) return answer(request, response);
  people.set(who.sub, who);
  provider.interactionFinished(request, response, { login: { accountId: who.sub, remember: false } }).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
};
const server = certificate
  ? createSecured({ cert: readFileSync(certificate), key: readFileSync(itsKey) }, answered)
  : createServer(answered);
server.listen(Number(port), "127.0.0.1", () => say({ said: "ready" }));

// A token of the program, asked for as a program would.
const token = async () => {
  const pair = Buffer.from(`historian:${process.env.HISTORIAN_SECRET}`).toString("base64");
  const body = new URLSearchParams({ grant_type: "client_credentials", resource: "urn:geminus" });
  const answer = await fetch(`${name}/token`, { method: "POST", headers: { authorization: `Basic ${pair}` }, body });
  return (await answer.json()).access_token;
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  if (order.do === "token") return say({ said: "token", token: await token() });
  if (order.do === "be") who = order.who;
  if (order.do === "readers") readers = order.groups;
  say({ said: order.do });
}).on("close", () => process.exit(0));

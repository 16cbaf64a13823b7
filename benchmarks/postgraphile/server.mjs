// (e) PostGraphile on the same database. PORT, DATABASE_URL and RAPPORT_SECRET say where and with which tokens,
// CONNECTIONS how many requests there are at once. One process, set up as its documentation advises for production.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { addPgTableOrderBy, jsonPgSmartTags, orderByAscDesc } from "postgraphile/utils";
import { postgraphile } from "postgraphile";
import { sql } from "postgraphile/pg-sql2";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const { DATABASE_URL, PORT, RAPPORT_SECRET } = process.env;

// Tokens are remembered once they are verified, as the other servers do.
const key = createHash("sha256").update(`access token\0${RAPPORT_SECRET}`).digest();
const verified = new Map();

function verify(token) {
  const [head, body, signature] = token.split(".");
  const expected = createHmac("sha256", key).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Error("The token is not one of this server.");
  }
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  verified.set(token, claims);
  return claims;
}

// Without a token everything is open, and no setting costs a transaction. With one, policies say which rows there are.
function settings(authorization) {
  if (!authorization) return undefined;
  const token = authorization.slice("Bearer ".length);
  const claims = verified.get(token) ?? verify(token);
  if (claims.exp * 1000 <= Date.now()) throw new Error("The token has expired.");
  return { role: "rapport_bench_seller", "rapport_bench.user_id": claims.sub };
}

// Names are sought by code point, as the index on them is: PostGraphile's own order could not use it.
const orderByName = addPgTableOrderBy({ schemaName: "public", tableName: "customers" }, () =>
  orderByAscDesc("BY_NAME", (query) => ({
    fragment: sql`${query.alias}.name collate "C"`,
    codec: query.resource?.codec?.attributes?.name?.codec,
  })),
);

// Lines join by the order's id alone, though their foreign key has the currency besides, and are a plain list. The
// function is left out because its name is that of a table's row.
const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      "public.order_lines": {
        tags: {
          foreignKey:
            "(order_id) references orders (id)|@foreignFieldName lines|@foreignSimpleFieldName lines|@behavior list -connection",
        },
      },
    },
    procedure: { "public.exchange_rate": { tags: { behavior: "-*" } } },
  },
});

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  plugins: [orderByName, tags],
  // Columns without an index of their own are filtered too: country, and what is deleted.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      schemas: ["public"],
      // As many connections as requests at once: none waits for another. No JIT, as with the other servers; statements
      // are prepared and kept by default.
      poolConfig: { max: Number(process.env.CONNECTIONS ?? 8), options: "-c jit=off" },
    }),
  ],
  grafast: {
    explain: false,
    context: (request) => {
      const pgSettings = settings(request.node?.req.headers.authorization);
      return pgSettings ? { pgSettings } : {};
    },
  },
  grafserv: { graphiql: false, watch: false, websockets: false },
});

const server = createServer();
server.on("error", (error) => {
  throw error;
});
const serv = pgl.createServ(grafserv);
await pgl.getSchema();
await serv.addTo(server);
server.listen(Number(PORT), "127.0.0.1");

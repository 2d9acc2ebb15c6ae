// The whole tour with openapi-fetch and the types that openapi-typescript has generated, as they
// are: `node tour.ts http://localhost:8000/api/v1`. PASSWORD is that of the staff login `admin`.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "../../build/clients/typescript/fido.ts";

type Fido = Client<paths>;
type NewTransaction = components["schemas"]["TransactionRequest"];
type Answer<T> = { data?: T; error?: unknown; response: Response };

const URL_OF_API = process.argv[2] ?? "";
const JANE = { username: "jane", password: "correct horse battery" };
const IMPORT_MILLISECONDS = 60_000;
const anybody: Fido = createClient<paths>({ baseUrl: URL_OF_API });

function is(status: number, answer: Answer<unknown>): void {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
}

function body<T>(status: number, answer: Answer<T>): T {
  is(status, answer);
  assert(answer.data !== undefined);
  return answer.data;
}

function header(answer: Answer<unknown>, name: string): string {
  const value = answer.response.headers.get(name);
  assert(value, name);
  return value;
}

function withToken(token: string): Fido {
  return createClient<paths>({ baseUrl: URL_OF_API, headers: { Authorization: `Bearer ${token}` } });
}

function purchase(amount: string, day: string): NewTransaction {
  return {
    transaction_date: day,
    transaction_amount: amount,
    transaction_type: "debit",
    currency: "USD",
  };
}

async function accounts(): Promise<[Fido, string]> {
  const jane = { ...JANE, email: "jane@example.org", full_name: "Jane Doe" };
  is(201, await anybody.POST("/auth/register", { body: jane }));
  const taken = await anybody.POST("/auth/register", { body: jane });
  is(400, taken);
  assert.equal(taken.error?.errors?.[0]?.pointer, "#/username");

  const first = body(200, await anybody.POST("/auth/login", { body: JANE }));
  const pair = body(
    200,
    await anybody.POST("/auth/refresh", { body: { refresh_token: first.refresh_token } }),
  );
  const fido = withToken(pair.access_token);
  const changes = { full_name: "Jane Q. Doe", currency: "USD" } as const;
  assert.equal(body(200, await fido.PATCH("/users/me", { body: changes })).currency, "USD");
  const me = await fido.GET("/users/me");
  assert.equal(body(200, me).full_name, "Jane Q. Doe");
  const known = { header: { "If-None-Match": header(me, "ETag") } };
  is(304, await fido.GET("/users/me", { params: known }));
  return [fido, pair.refresh_token];
}

async function transactions(fido: Fido): Promise<void> {
  const rent = { ...purchase("800.00", "2026-01-31T12:00:00Z"), external_id: "rent-1" };
  const once = { header: { "Idempotency-Key": "rent" } };
  const first = await fido.POST("/transactions", { body: rent, params: once });
  const again = await fido.POST("/transactions", { body: rent, params: once });
  const id = body(201, first).id;
  assert.equal(body(201, again).id, id);
  assert.equal(header(again, "Idempotent-Replayed"), "true");
  assert(header(first, "Location").endsWith(`/transactions/${id}`));
  const rows = [purchase("3.20", "2026-02-01"), { ...purchase("1", "2026-02-02"), category: "fun" }];
  const many = body(201, await fido.POST("/transactions/bulk", { body: rows }));
  const made = many.results.map((each) => each.transaction?.transaction_amount);
  assert.deepEqual(made, ["3.20", "1.00"]);

  const one = { path: { transaction_id: id } };
  const unchanged = { ...one, header: { "If-Match": header(first, "ETag") } };
  const dearer = { body: { transaction_amount: "810.00" }, params: unchanged };
  const changed = await fido.PATCH("/transactions/{transaction_id}", dearer);
  assert.equal(body(200, changed).transaction_amount, "810.00");
  const stale = await fido.PATCH("/transactions/{transaction_id}", dearer);
  is(412, stale);
  assert.equal(stale.error?.status, 412);
  await lists(fido);
  is(204, await fido.DELETE("/transactions/{transaction_id}", { params: one }));
  is(404, await fido.GET("/transactions/{transaction_id}", { params: one }));
}

async function lists(fido: Fido): Promise<void> {
  const list = async (query: paths["/transactions"]["get"]["parameters"]["query"]) =>
    body(200, await fido.GET("/transactions", { params: { query } }));
  const page = await list({ limit: 2 });
  const cursor = new URL(page.next ?? "").searchParams.get("cursor") ?? "";
  const last = await list({ limit: 2, cursor });
  const amounts = [...page.results, ...last.results].map((row) => row.transaction_amount);
  assert.deepEqual(amounts, ["1.00", "3.20", "810.00"]);
  assert.equal(last.next, null);
  const found = await list({
    currency: "USD",
    transaction_type: "debit",
    start: "2026-02-01",
    end: "2026-02-28",
    min_amount: "2",
  });
  assert.deepEqual(found.results.map((row) => row.transaction_amount), ["3.20"]);
  const file = await fido.GET("/transactions/export", {
    params: { query: { format: "ndjson" } },
    parseAs: "text",
  });
  assert.equal(body(200, file).trimEnd().split("\n").length, 3);
}

async function analytics(fido: Fido): Promise<void> {
  const day = { query: { transaction_date: "2026-02-01" } };
  const totals = body(200, await fido.GET("/analytics", { params: day }));
  assert.deepEqual([totals.total_debit, totals.busiest_day], ["3.20", "2026-02-01"]);
  assert.equal(totals.by_currency[0]?.average_transaction_value, "3.20");
  const monthly = { path: { user_id: "me" }, query: { interval: "month" } } as const;
  const series = await fido.GET("/users/{user_id}/analytics/series", { params: monthly });
  assert.deepEqual(body(200, series).results.map((row) => row.total_transactions), [2]);
}

async function money(fido: Fido): Promise<void> {
  const currencies = body(200, await anybody.GET("/currencies")).results;
  assert.equal(currencies.find((each) => each.code === "JPY")?.decimals, 0);
  assert("USD" in body(200, await fido.GET("/rates")).rates);

  is(201, await fido.POST("/wallets", { body: { name: "Holidays" } }));
  const old = { path: { name: "Holidays" } };
  is(200, await fido.PUT("/wallets/{name}", { params: old, body: { name: "Travel" } }));
  const travel = { path: { name: "Travel" } };
  const opening = { currency: "EUR", amount: "100" } as const;
  is(201, await fido.POST("/wallets/{name}/currencies", { params: travel, body: opening }));
  const funds = (amount: string) =>
    fido.POST("/wallets/{name}/currencies/{code}/funds", {
      params: { path: { name: "Travel", code: "EUR" } },
      body: { amount },
    });
  assert.equal(body(201, await funds("-30")).amount, "70.00");
  const refused = await funds("-70.01");
  is(409, refused);
  assert.equal(refused.error?.code, "insufficient-funds");
  const held = body(200, await fido.GET("/wallets/{name}/currencies", { params: travel })).results;
  assert.deepEqual(held, [{ currency: "EUR", amount: "70.00" }]);
  const converted = await fido.GET("/wallets/{name}/currencies_converted", {
    params: { ...travel, query: { to: "PLN" } },
  });
  assert.equal(body(200, converted).sum, "295.05");
  is(409, await fido.DELETE("/wallets/{name}", { params: travel }));
}

async function files(fido: Fido): Promise<void> {
  const rows = "transaction_date,transaction_type,transaction_amount\n2026-01-05,debit,12.50\nx,y,z\n";
  const begun = await fido.POST("/imports", {
    body: { file: rows },
    bodySerializer: ({ file }) => {
      const form = new FormData();
      form.append("file", new Blob([file], { type: "text/csv" }), "rows.csv");
      return form;
    },
  });
  const answer = body(202, begun);
  assert("id" in answer); // with `dry_run` it is a preview, which has none
  const path = { import_id: answer.id };
  const deadline = Date.now() + IMPORT_MILLISECONDS;
  for (;;) {
    const now = body(200, await fido.GET("/imports/{import_id}", { params: { path } }));
    if (now.status === "done") {
      assert.deepEqual([now.rows_created, now.rows_refused, now.errors?.[0]?.line], [1, 1, 3]);
      return;
    }
    assert(Date.now() < deadline, JSON.stringify(now));
    await sleep(100);
  }
}

async function alerts(fido: Fido): Promise<void> {
  const user_id = body(200, await fido.GET("/users/me")).id;
  const event = async (type: "deposit" | "withdraw", amount: string, time: number) =>
    body(200, await fido.POST("/events", { body: { type, amount, user_id, time } })).alert_codes;
  assert.deepEqual(await event("deposit", "250.00", 1748736000), [123]);
  assert.deepEqual(await event("withdraw", "120.00", 1748736010), [1100, 123]);
  const raised = body(200, await fido.GET("/alerts", { params: { query: { code: 1100 } } }));
  assert.deepEqual(raised.results.map((alert) => alert.time), ["2025-06-01T00:00:10Z"]);
  assert.equal(body(200, await fido.GET("/wallets")).results.length, 2);
}

async function staff(): Promise<void> {
  const login = { username: "admin", password: process.env.PASSWORD ?? "" };
  const admin = withToken(
    body(200, await anybody.POST("/auth/login", { body: login })).access_token,
  );
  const users = body(200, await admin.GET("/users")).results;
  assert(users.some((user) => user.full_name?.startsWith("J•••")));
  const customer = await admin.POST("/users", { body: { name: "Ben Nevis", total: "100" } });
  assert.equal(body(201, customer).total, "100.00");
}

const [fido, refresh_token] = await accounts();
await transactions(fido);
await analytics(fido);
await money(fido);
await files(fido);
await alerts(fido);
await staff();
is(204, await anybody.POST("/auth/logout", { body: { refresh_token } }));
const refused = await anybody.POST("/auth/refresh", { body: { refresh_token } });
is(401, refused);
assert.equal(refused.error?.code, "invalid-token");
console.log("The tour is done.");

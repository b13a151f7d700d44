import { poolerPort } from "../../src/engines/pgbouncer/config.ts";
import { atMostTimes, makeRow, type Bench, type BenchContext, type Row } from "./bench.ts";
import { bareSql, haveSameRights, type BareSql } from "./bare-sql.ts";
import type { BenchHome } from "./home.ts";
import { inTurns, median, timed } from "./statistics.ts";
import { Worker } from "./work.ts";

const TIMES = 50;

/** Milliseconds: round by round, so that the sums of a side stay those of one database. */
interface Creations {
  ours: { whole: number[]; withoutProof: number[]; outsideOfStatements: number[] };
  bare: { statements: number[]; login: number[] };
}

/**
 * database.provision through the operation runner beside its very statements in one open psql session, in turns. Each
 * bare round begins in the database postgres, as ours does; the way back there is not counted.
 */
async function measureCreations(home: BenchHome, prefix: string): Promise<Creations> {
  const site = await home.site();
  const statements: BareSql[] = [];
  for (let i = 0; i <= TIMES; i++) statements.push(await bareSql(site, `${prefix}_bare_${i}`));
  const [worker, psql] = await Promise.all([Worker.start(home.root), home.psql()]);
  const { run } = home.test.paths;
  const back = `\\c "host=${run} port=${site.topology.ports.postgres} user=postgres dbname=postgres password=${await home.test.secret("superuser")}"`;
  const values: Creations = {
    ours: { whole: [], withoutProof: [], outsideOfStatements: [] },
    bare: { statements: [], login: [] },
  };
  const bare = async (i: number): Promise<number> => {
    const { create, user, password } = statements[i]!;
    const pooled = `\\c "host=${run} port=${poolerPort(site.topology, "pgbouncer")} user=${user} dbname=${prefix}_bare_${i} password=${password}"`;
    const ms = await timed(() => psql.run(create));
    values.bare.statements.push(ms);
    values.bare.login.push(await timed(() => psql.run(`${pooled}\nSELECT current_user;`)));
    await psql.run(back);
    return ms;
  };
  const ours = async (i: number): Promise<number> => {
    const { ms, steps } = await worker.measure("create", `${prefix}_ours_${i}`);
    const withoutProof = ms - steps["prove-app-login"]!;
    const inStatements = steps["make-roles"]! + steps["create-database"]! + steps["open-database"]!;
    values.ours.whole.push(ms);
    values.ours.withoutProof.push(withoutProof);
    values.ours.outsideOfStatements.push(withoutProof - inStatements);
    return ms;
  };
  try {
    await inTurns(TIMES + 1, { bare, ours });
    await haveSameRights(psql, `${prefix}_ours_${TIMES}`, `${prefix}_bare_${TIMES}`);
    // The first of each opens what the others find open.
    for (const list of [...Object.values(values.ours), ...Object.values(values.bare)]) list.shift();
    return values;
  } finally {
    worker.end();
    await psql.end();
  }
}

const TARGET = atMostTimes(1.15);

function rowsOf(title: string, { ours, bare }: Creations): Row[] {
  const both = bare.statements.map((ms, i) => ms + bare.login[i]!);
  const proof = median(ours.whole.map((ms, i) => ms - ours.withoutProof[i]!)).toFixed(1);
  const login = median(bare.login).toFixed(1);
  return [
    makeRow(
      `${title}, without the login proof / the same SQL`,
      "ms",
      { ours: ours.withoutProof, bare: bare.statements },
      TARGET,
      `guards, checks, journal, credentials file and final confirmation take ${median(ours.outsideOfStatements).toFixed(1)} ms of these; the rest are the statements`,
    ),
    makeRow(
      `${title} / the same SQL and the same pooled login`,
      "ms",
      { ours: ours.whole, bare: both },
      TARGET,
      `the login through the pooler takes ours ${proof} ms, psql ${login} ms`,
    ),
    makeRow(
      `${title} / the same SQL, no login`,
      "ms",
      { ours: ours.whole, bare: bare.statements },
      TARGET,
      `ours proves a login through the pooler before it hands out a URL (${proof} ms: two new server connections in a database that nobody has entered before); the bare side does not`,
    ),
  ];
}

let fresh: Creations | undefined;

export const createFresh: Bench = {
  name: "create",
  async measure({ home }: BenchContext): Promise<Row[]> {
    fresh = await measureCreations(await home(), "c");
    return rowsOf("create", fresh);
  },
};

export const createWithThousand: Bench = {
  name: "create-1000",
  async measure({ home, say }: BenchContext): Promise<Row[]> {
    const bench = await home();
    say("filling the server up to 1,000 databases");
    await bench.thousandDatabases();
    const full = await measureCreations(bench, "t");
    const rows = rowsOf("create with 1,000 present", full);
    if (!fresh) return rows;
    return [...rows, growthRow(fresh, full)];
  },
};

/** How much dearer the same becomes with 1,000 databases, beside how much dearer the bare SQL does. */
function growthRow(few: Creations, full: Creations): Row {
  const ours = median(full.ours.whole) / median(few.ours.whole);
  const bare = median(full.bare.statements) / median(few.bare.statements);
  const row = makeRow("create, growth from a few databases to 1,000 / growth of the same SQL", "ms", {
    ours: full.ours.whole,
    bare: few.ours.whole,
  });
  const note = `ours with 1,000 beside ours with a few: ${ours.toFixed(2)} x; the same SQL between the same two: ${bare.toFixed(2)} x`;
  return { ...row, ratio: ours / bare, target: TARGET.says, ok: ours / bare <= 1.15, note };
}

/** The Helm chart: it renders what the overlays are, refuses values that make no sense, and an API server takes it. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments, parseDocument } from "yaml";
import { helmBinary } from "../../scripts/kube-testserver.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { monitoringKinds } from "./fixtures/monitoring-kinds.ts";

const DEPLOY = join(import.meta.dirname, "../../deploy");
const CHART = join(DEPLOY, "helm/sluice");
const EVERYTHING = ["speakerSidecar=true", "monitoring.enabled=true"];

interface Container {
  readonly args: string[];
  imagePullPolicy?: string;
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: { readonly spec: { readonly containers: Container[] } } };
}

let server: ApiServer;

beforeAll(async () => {
  helmBinary();
  server = await ApiServer.start();
  server.apply(...monitoringKinds());
  server.kubectl("wait", "--for=condition=Established", "crd", "--all");
}, 1_800_000);
afterAll(() => server?.close());

test("the defaults are the base of the overlays, but for the words that name the namespace", () => {
  const chart = objects(rendered([]));
  const base = objects(server.kubectl("kustomize", join(DEPLOY, "base")));
  const daemonset = (all: Manifest[]) => all.find(({ kind }) => kind === "DaemonSet")!;
  const gateway = daemonset(chart).spec.template.spec.containers[0]!;
  expect(gateway.args.at(-1)).toBe("--namespace=sluice-system");
  gateway.args.pop();
  delete gateway.imagePullPolicy;
  expect(daemonset(chart)).toEqual(daemonset(base));
  const permissions = (all: Manifest[]) =>
    all
      .filter(({ kind }) => /Role|ServiceAccount/.test(kind))
      .map(named)
      .sort();
  expect(permissions(chart)).toEqual(permissions(base));
});

test("the sidecar and its rights are those of the kustomize component", () => {
  const speaker = (text: string) =>
    objects(text).find(({ kind }) => kind === "DaemonSet")!.spec.template.spec.containers[1];
  expect(speaker(rendered(EVERYTHING))).toEqual(speaker(server.kubectl("kustomize", join(DEPLOY, "overlays/all"))));
});

test("the API server takes all of it, and knows each of its fields", () => {
  const path = join(server.folder, "chart.yaml");
  writeFileSync(path, rendered(EVERYTHING));
  const applied = server.kubectl("apply", "--server-side", "--validate=strict", "-f", path);
  for (const kind of ["daemonset.apps", "prometheusrule", "servicemonitor", "secret/sluice-cluster-secret"])
    expect(applied).toContain(kind);
});

test("a release of another namespace has nothing in sluice-system", () => {
  expect(rendered(EVERYTHING, "edge")).not.toContain("sluice-system");
});

test.each([
  ["datapath=fast", "/datapath"],
  ["uplink=", "/uplink"],
  ["extraArgs={flows}", "/extraArgs/0"],
  ["uplnk=eth1", "uplnk"],
])("--set %s is refused, and the value is named", (value, name) => {
  const { status, stderr } = helm(["template", "sluice", CHART, "--set", value]);
  expect(status).not.toBe(0);
  expect(stderr).toContain(name);
});

test("every value has a comment or a name in the schema", () => {
  const values = parseDocument(readFileSync(join(CHART, "values.yaml"), "utf8")).toJS() as object;
  const schema = JSON.parse(readFileSync(join(CHART, "values.schema.json"), "utf8")) as { properties: object };
  expect(Object.keys(values).filter((name) => !(name in schema.properties))).toEqual([]);
});

function rendered(values: readonly string[], namespace = "sluice-system"): string {
  const set = values.flatMap((value) => ["--set", value]);
  const { status, stdout, stderr } = helm(["template", "sluice", CHART, "-n", namespace, ...set]);
  expect(status, stderr).toBe(0);
  return stdout;
}

function helm(args: readonly string[]) {
  return spawnSync(helmBinary(), [...args, "--kube-version", "1.36.3"], { encoding: "utf8" });
}

function objects(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest)
    .filter((object) => object !== null);
}

function named(object: Manifest): string {
  return JSON.stringify(object, Object.keys(flat(object)).sort());
}

/** Every name that occurs in an object, for a serialization that does not depend on order. */
function flat(value: unknown, into: Record<string, true> = {}): Record<string, true> {
  if (Array.isArray(value)) for (const each of value) flat(each, into);
  else if (value !== null && typeof value === "object") {
    for (const [name, each] of Object.entries(value)) {
      into[name] = true;
      flat(each, into);
    }
  }
  return into;
}

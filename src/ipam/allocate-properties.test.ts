import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intentOf, ipAddressPool, ipPool, lbService } from "../../test/fixtures/kubernetes-objects.ts";
import type { Intent } from "../intent/intent.ts";
import { matches } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { sharingObstacle } from "./address-sharing.ts";
import { type Allocation, allocate } from "./allocate.ts";
import { poolContains } from "./pool-store.ts";

/** Small worlds, so that addresses run out, pools overlap and keys meet. */
const octet = fc.integer({ min: 0, max: 20 });
const label = fc.constantFrom("x", "y");
const year = fc.constantFrom(undefined, "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");

const poolArbitrary = fc.record({
  name: fc.constantFrom("p", "q", "r"),
  start: octet,
  size: fc.integer({ min: 1, max: 8 }),
  selects: fc.option(label),
  disabled: fc.boolean(),
  metalLb: fc.boolean(),
  autoAssign: fc.boolean(),
  createdAt: year,
});

const serviceArbitrary = fc.record({
  name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
  app: label,
  held: fc.array(octet, { maxLength: 2 }),
  asked: fc.option(octet, { freq: 3 }),
  key: fc.option(fc.constantFrom("k1", "k2")),
  sharesBy: fc.constantFrom("lbipam.cilium.io/sharing-key", "metallb.io/allow-shared-ip"),
  port: fc.constantFrom(80, 81, 82),
  createdAt: year,
});

const address = (last: number) => `10.0.0.${last}`;

const poolsArbitrary = fc.uniqueArray(poolArbitrary, { selector: ({ name }) => name, maxLength: 3 }).map((pools) =>
  pools.map(({ name, start, size, selects, disabled, metalLb, autoAssign, createdAt }) => {
    const blocks = [`${address(start)}-${address(start + size)}`];
    const age = createdAt === undefined ? {} : { createdAt };
    if (metalLb) return ipAddressPool(name, blocks, { ...age, spec: { autoAssign } });
    const selection = selects === null ? {} : { serviceSelector: { matchLabels: { app: selects } } };
    return ipPool(name, blocks, { ...age, spec: { disabled, ...selection } });
  }),
);

const servicesArbitrary = fc
  .uniqueArray(serviceArbitrary, { selector: ({ name }) => name, maxLength: 6 })
  .map((services) =>
    services.map(({ name, app, held, asked, key, sharesBy, port, createdAt }) =>
      lbService(name, {
        labels: { app },
        held: held.map(address),
        port,
        ...(createdAt === undefined ? {} : { createdAt }),
        ...(key === null ? {} : { annotations: { [sharesBy]: key } }),
        spec: asked === null ? {} : { loadBalancerIP: address(asked) },
      }),
    ),
  );

const intentArbitrary = fc
  .tuple(poolsArbitrary, servicesArbitrary)
  .map(([pools, services]) => intentOf(...pools, ...services));

function holding(intent: Intent, allocation: Allocation): Intent {
  const services = intent.services.map((service) => ({
    ...service,
    heldAddresses: allocation.services.get(serviceKey(service))!.addresses,
  }));
  return { ...intent, services };
}

const given = (allocation: Allocation, service: Service) =>
  allocation.services.get(serviceKey(service))!.addresses.map(formatIpAddress);

describe("allocation, whatever the pools, Services and held addresses are", () => {
  test("never gives one address to two Services that may not share it", () => {
    fc.assert(
      fc.property(
        intentArbitrary.filter(({ pools }) => pools.length > 0),
        (intent) => {
          const allocation = allocate(intent);
          for (const a of intent.services) {
            for (const b of intent.services) {
              const common = given(allocation, a).filter((text) => given(allocation, b).includes(text));
              if (a !== b && common.length > 0) expect(sharingObstacle(a, b)).toBeNull();
            }
          }
        },
      ),
    );
  });

  test("done again with its own result changes nothing", () => {
    fc.assert(
      fc.property(intentArbitrary, (intent) => {
        const first = allocate(intent);
        const second = allocate(holding(intent, first));
        for (const service of intent.services) {
          const after = second.services.get(serviceKey(service))!;
          expect(after.addresses).toEqual(first.services.get(serviceKey(service))!.addresses);
          expect(after.conditions).toEqual(first.services.get(serviceKey(service))!.conditions);
          expect(after.pool).toEqual(first.services.get(serviceKey(service))!.pool);
          expect(after.events.filter(({ reason }) => reason === "AddressReleased")).toEqual([]);
        }
        expect(second.pools).toEqual(first.pools);
      }),
    );
  });

  test("after an edit of the pools leaves every address that still fits where it is", () => {
    fc.assert(
      fc.property(
        intentArbitrary.filter(({ pools }) => pools.length > 0),
        poolsArbitrary,
        (intent, edited) => {
          const before = allocate(intent);
          const pools = intentOf(...edited).pools;
          if (pools.length === 0) return;
          const after = allocate({ ...holding(intent, before), pools });
          for (const service of intent.services) {
            for (const held of before.services.get(serviceKey(service))!.addresses) {
              const fits = pools.some(
                (pool) =>
                  poolContains(pool, held) &&
                  (pool.serviceSelector === null || matches(pool.serviceSelector, selectableLabels(service))),
              );
              if (fits) expect(given(after, service)).toContain(formatIpAddress(held));
            }
          }
        },
      ),
    );
  });

  test("gives only addresses of pools that serve the Service", () => {
    fc.assert(
      fc.property(
        intentArbitrary.filter(({ pools }) => pools.length > 0),
        (intent) => {
          const allocation = allocate(intent);
          for (const service of intent.services) {
            for (const held of allocation.services.get(serviceKey(service))!.addresses) {
              const serving = intent.pools.filter(
                ({ serviceSelector }) =>
                  serviceSelector === null || matches(serviceSelector, selectableLabels(service)),
              );
              expect(serving.some((pool) => poolContains(pool, held))).toBe(true);
            }
          }
        },
      ),
    );
  });
});

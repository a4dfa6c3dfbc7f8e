/**
 * Capabilities as JSON and back. They are plain data already: only octets become hex, and what is read is checked.
 *
 *     {"name":"multiprotocol","afi":2,"safi":1}            {"name":"four-octet-as","asn":65000}
 *     {"name":"add-path","families":[{"afi":1,"safi":1,"mode":"both"}]}       {"name":"role","role":"customer"}
 *     {"name":"graceful-restart","restarting":false,"notification":false,"timeSeconds":120,
 *      "families":[{"afi":1,"safi":1,"forwarding":false}]}
 *     {"name":"extended-next-hop","families":[{"afi":1,"safi":1,"nextHopAfi":2}]}
 *     {"name":"route-refresh"}  {"name":"enhanced-route-refresh"}  {"name":"extended-message"}
 *     {"name":"unknown","code":73,"value":"02766d00"}
 */
import { type Capability, type Family, ROLES } from "./capability.ts";
import { flag, hex, type JsonObject, list, number, object, oneOf } from "./json-field.ts";
import { formatHex } from "./octets.ts";

const NAMES: readonly Capability["name"][] = [
  "multiprotocol",
  "route-refresh",
  "extended-next-hop",
  "extended-message",
  "role",
  "graceful-restart",
  "four-octet-as",
  "add-path",
  "enhanced-route-refresh",
  "unknown",
];

export function capabilityToJson(capability: Capability): JsonObject {
  if (capability.name !== "unknown") return { ...capability };
  return { name: "unknown", code: capability.code, value: formatHex(capability.value) };
}

export function capabilityFromJson(value: unknown, path: string): Capability {
  const json = object(value, path);
  const name = oneOf(json["name"], `${path}.name`, NAMES);
  const families = <T>(more: (json: JsonObject, where: string) => T) =>
    list(json["families"], `${path}.families`, (one, where) => {
      const item = object(one, where);
      return { ...family(item, where), ...more(item, where) };
    });
  switch (name) {
    case "multiprotocol":
      return { name, ...family(json, path) };
    case "four-octet-as":
      return { name, asn: number(json["asn"], `${path}.asn`, 0xffffffff) };
    case "role":
      return { name, role: oneOf(json["role"], `${path}.role`, ROLES) };
    case "extended-next-hop":
      return { name, families: families((item, at) => ({ nextHopAfi: number(item["nextHopAfi"], at, 0xffff) })) };
    case "add-path": {
      const modes = ["receive", "send", "both"] as const;
      return { name, families: families((item, at) => ({ mode: oneOf(item["mode"], `${at}.mode`, modes) })) };
    }
    case "graceful-restart":
      return {
        name,
        restarting: flag(json["restarting"], `${path}.restarting`),
        notification: flag(json["notification"], `${path}.notification`),
        timeSeconds: number(json["timeSeconds"], `${path}.timeSeconds`, 0x0fff),
        families: families((item, at) => ({ forwarding: flag(item["forwarding"], `${at}.forwarding`) })),
      };
    case "unknown":
      return { name, code: number(json["code"], `${path}.code`, 255), value: hex(json["value"], `${path}.value`, 255) };
    default:
      return { name };
  }
}

function family(json: JsonObject, path: string): Family {
  return { afi: number(json["afi"], `${path}.afi`, 0xffff), safi: number(json["safi"], `${path}.safi`, 255) };
}

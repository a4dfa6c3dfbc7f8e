/**
 * Messages as JSON objects and back: what `sluice bgp decode` prints and `sluice bgp encode` reads.
 *
 *     {"type":"OPEN","version":4,"asn":65000,"holdTimeSeconds":90,"routerId":"10.1.1.2","capabilities":[
 *        {"name":"multiprotocol","afi":1,"safi":1}, {"name":"route-refresh"}, {"name":"four-octet-as","asn":65000}, …]}
 *     {"type":"UPDATE","withdrawn":["10.0.0.0/8"],"attributes":{…},"nlri":["192.168.10.100/32"]}
 *     {"type":"NOTIFICATION","code":6,"subcode":2,"data":"0568656c6c6f","text":"Cease/Administrative Shutdown: \"hello\""}
 *     {"type":"KEEPALIVE"}
 *     {"type":"ROUTE-REFRESH","afi":1,"safi":1,"subtype":0}
 *
 * `"parameters":[1,1,2]` in an OPEN says how many capabilities each optional parameter holds, when it is not all in one.
 * Attributes are described in `attribute-json.ts`, capabilities in `capability-json.ts`. `text` and `endOfRib` are for the
 * reader; encoding ignores them.
 */
import { formatIpv4 } from "../net/ipv4.ts";
import { attributesFromJson, attributesToJson, ipv4NlriFromJson, ipv4NlriToJson } from "./attribute-json.ts";
import { capabilityFromJson, capabilityToJson } from "./capability-json.ts";
import { FieldError, hex, ipv4, type JsonObject, list, number, object, oneOf, optional } from "./json-field.ts";
import { MESSAGE_TYPES, type Message, type Update } from "./message.ts";
import { describeNotification } from "./notification.ts";
import { formatHex } from "./octets.ts";

export function messageToJson(message: Message): JsonObject {
  switch (message.type) {
    case "OPEN": {
      const { type, version, asn, holdTimeSeconds, routerId, capabilities, parameters } = message;
      const open = { type, version, asn, holdTimeSeconds, routerId: formatIpv4(routerId) };
      return { ...open, capabilities: capabilities.map(capabilityToJson), ...(parameters && { parameters }) };
    }
    case "UPDATE": {
      const endOfRib = endOfRibFamily(message);
      return {
        type: "UPDATE",
        withdrawn: ipv4NlriToJson(message.withdrawn),
        attributes: attributesToJson(message.attributes),
        nlri: ipv4NlriToJson(message.nlri),
        ...(endOfRib === null ? {} : { endOfRib }),
      };
    }
    case "NOTIFICATION": {
      const { type, code, subcode, data } = message;
      return { type, code, subcode, data: formatHex(data), text: describeNotification(message) };
    }
    default:
      return { ...message };
  }
}

/** The message, or the words for what is wrong with the JSON and where. */
export function messageFromJson(value: unknown): Message | string {
  try {
    return readMessage(object(value, "message"));
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

function readMessage(json: JsonObject): Message {
  const type = oneOf(json["type"], "type", Object.keys(MESSAGE_TYPES) as (keyof typeof MESSAGE_TYPES)[]);
  switch (type) {
    case "OPEN":
      return {
        type,
        version: number(json["version"] ?? 4, "version", 255),
        asn: number(json["asn"], "asn", 0xffff),
        holdTimeSeconds: number(json["holdTimeSeconds"], "holdTimeSeconds", 0xffff),
        routerId: ipv4(json["routerId"], "routerId"),
        capabilities: list(json["capabilities"], "capabilities", capabilityFromJson),
        parameters: optional(json["parameters"], "parameters", (value, where) =>
          list(value, where, (count, each) => number(count, each, 255)),
        ),
      };
    case "UPDATE":
      return {
        type,
        withdrawn: ipv4NlriFromJson(json["withdrawn"], "withdrawn"),
        attributes: attributesFromJson(object(json["attributes"] ?? {}, "attributes"), "attributes"),
        nlri: ipv4NlriFromJson(json["nlri"], "nlri"),
      };
    case "NOTIFICATION":
      return {
        type,
        code: number(json["code"], "code", 255),
        subcode: number(json["subcode"], "subcode", 255),
        data: hex(json["data"], "data", 0xffff),
      };
    case "KEEPALIVE":
      return { type };
    case "ROUTE-REFRESH":
      return {
        type,
        afi: number(json["afi"], "afi", 0xffff),
        safi: number(json["safi"], "safi", 255),
        subtype: number(json["subtype"] ?? 0, "subtype", 255),
      };
  }
}

/** The family whose first announcement this empty UPDATE ends (RFC 4724 §2). */
export function endOfRibFamily({ withdrawn, attributes, nlri }: Update): "ipv4" | "ipv6" | null {
  if (withdrawn.keys.length > 0 || nlri.keys.length > 0) return null;
  const { mpUnreach } = attributes;
  const alone = Object.entries(attributes).every(([name, value]) => {
    return name === "mpUnreach" || name === "layout" || !value || (Array.isArray(value) && value.length === 0);
  });
  if (!alone) return null;
  if (mpUnreach === null) return "ipv4";
  return mpUnreach.family === "ipv6" && mpUnreach.nlri.prefixes.length === 0 ? "ipv6" : null;
}

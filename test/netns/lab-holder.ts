/**
 * A program that holds a small lab until it is interrupted: `lab-holder.ts PREFIX`. Says "up" when the lab stands; used
 * by lab.test.ts, which ends it in every way there is.
 */
import { Lab } from "../lab/lab.ts";

const lab = new Lab(process.argv[2]!);
const a = lab.namespace("a");
const b = lab.namespace("b");
lab.connect({ namespace: a, device: "eth0" }, { namespace: b, device: "eth0" });
a.start("sleeper", ["sleep", "1000"]);
// Deaf to SIGTERM, as a stuck daemon is.
b.start("deaf", ["sh", "-c", "trap '' TERM; while :; do sleep 1; done", "slek-deaf"]);
process.stdout.write("up\n");
setInterval(() => {}, 1000);

// The suite imports fs.globSync, which Node has since 22. It uses it in a command that is not run here.
import { register } from "node:module";

const shim = 'export * from "node:fs"; export function globSync() { throw new Error("needs Node 22"); }';
const hook = `export async function resolve(specifier, context, next) {
  if (specifier !== "fs") return next(specifier, context);
  return { url: "data:text/javascript," + encodeURIComponent(${JSON.stringify(shim)}), shortCircuit: true };
}`;
if (Number(process.versions.node.split(".")[0]) < 22) register("data:text/javascript," + encodeURIComponent(hook));

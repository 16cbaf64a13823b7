// Runs every audit of graphql-http against the server at the address given, and prints what each found as JSON.
import { serverAudits } from "graphql-http";

const audits = serverAudits({ url: process.argv[2] });
const results = [];
for (const audit of audits) {
  const { response, ...result } = await audit.fn();
  results.push(response ? { ...result, answer: `${response.status} ${response.headers.get("content-type")}` } : result);
}
console.log(JSON.stringify(results));

import { advice } from "../../../handlers/advice.ts";
import { vendorCauses } from "../../../problem.ts";
import { causeOf, type TestResult } from "../lib/api.ts";
import { Icon } from "./Icon.tsx";

/** How a test went: what the vendor said we are, or the cause and what to do about it. */
export function TestReport({ result }: { result: TestResult }) {
  const { latency_ms, account, checked } = result.data;
  const cause = causeOf(result.data.cause);
  const time = latency_ms === null ? "" : ` in ${latency_ms} ms`;
  if (result.success)
    return (
      <div class="note note-good">
        <Icon name="check-circle" />
        <div>
          <b>Test passed{time}</b>
          {account && <p>Account: {account}</p>}
          <ul class="ticks">
            {checked.map((each) => (
              <li key={each}>
                <Icon name="check" size={14} />
                {each}
              </li>
            ))}
          </ul>
        </div>
      </div>
    );
  return (
    <div class="note note-bad">
      <Icon name="alert" />
      <div>
        <b>{cause ? vendorCauses[cause].title : "The test failed"}</b>
        <p>{result.message || (cause && advice[cause].action)}</p>
        {cause && (
          <p>
            <a href={`/problems/${cause}/`} target="_blank" rel="noreferrer">
              What this means and what to do<span class="hidden-text"> (new tab)</span>
            </a>
          </p>
        )}
        {checked.length > 0 && (
          <ul class="ticks">
            {checked.map((each) => (
              <li key={each}>
                <Icon name="check" size={14} />
                {each}
              </li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}

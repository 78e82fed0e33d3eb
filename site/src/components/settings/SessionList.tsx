import {
  type Account,
  deviceOf,
  endOtherSessions,
  endSession,
  type OpenSession,
} from "../../lib/account.ts";
import { announce } from "../../lib/announce.tsx";
import { ago, fullTime } from "../../lib/time.ts";
import { messageOf } from "../States.tsx";

export function SessionList({ account, onChanged }: { account: Account; onChanged: () => void }) {
  const { sessions, sessionId } = account;
  const others = sessions.filter((session) => session.id !== sessionId);

  async function end(work: Promise<unknown>, done: string) {
    try {
      await work;
      announce(done);
    } catch (error) {
      announce(messageOf(error), "bad");
    }
    onChanged();
  }
  const describe = (session: OpenSession) => deviceOf(session.userAgent);

  return (
    <section class="setting" aria-labelledby="sessions-title">
      <div class="setting-head">
        <div>
          <h2 id="sessions-title">
            Sessions <span class="count">{sessions.length}</span>
          </h2>
          <p>Where you are signed in. One that you end works for not one request more.</p>
        </div>
        {others.length > 0 && (
          <button
            type="button"
            class="button button-plain"
            onClick={() => void end(endOtherSessions(), "Every other session has ended")}
          >
            End all others
          </button>
        )}
      </div>
      <ul class="lines">
        {[...sessions.filter((one) => one.id === sessionId), ...others].map((session) => (
          <li key={session.id} class="entry">
            <div class="entry-name">
              <h3>
                {describe(session)}
                {session.id === sessionId && <span class="badge">This one</span>}
              </h3>
              <p class="quiet small">
                {session.ipAddress && `${session.ipAddress} · `}
                <span title={fullTime(session.createdAt)}>signed in {ago(session.createdAt)}</span>
              </p>
            </div>
            {session.id !== sessionId && (
              <div class="entry-end">
                <button
                  type="button"
                  class="button button-plain button-small"
                  aria-label={`End the session in ${describe(session)}, signed in ${ago(session.createdAt)}`}
                  onClick={() => void end(endSession(session.token), "The session has ended")}
                >
                  End
                </button>
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

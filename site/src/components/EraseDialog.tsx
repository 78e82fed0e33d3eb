import { useEffect, useRef, useState } from "preact/hooks";

import { announce } from "../lib/announce.tsx";
import { type Erasure, eraseSubject } from "../lib/events.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { messageOf } from "./States.tsx";

type Props = { onClose: () => void; onErased: () => void };

const counted = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** What was found, in words; empty where that is nothing. */
const told = ({ found }: Erasure): string[] => [
  ...(found.events ? [counted(found.events, "webhook")] : []),
  ...(found.excerpts ? [counted(found.excerpts, "kept reply", "kept replies")] : []),
  ...(found.answers ? [counted(found.answers, "kept answer")] : []),
];
const lookedThrough = ({ searched }: Erasure) => searched.events + searched.answers;

/** Erases what names a person: looks first, says how much it is, and erases once that is confirmed. */
export function EraseDialog({ onClose, onErased }: Props) {
  const [subject, setSubject] = useState("");
  const [stage, setStage] = useState<"asking" | "looking" | "found" | "erasing" | "done">("asking");
  const [step, setStep] = useState<Erasure>();
  const [total, setTotal] = useState(0);
  const [failure, setFailure] = useState("");
  const head = useRef<HTMLHeadingElement>(null);
  const stopped = useRef(false);
  useEffect(
    () => () => {
      stopped.current = true;
    },
    [],
  );
  // The button that was pressed is gone: the focus would fall out of the dialog.
  useEffect(() => {
    if (stage === "found" || stage === "done") head.current?.focus();
  }, [stage]);

  async function run(dryRun: boolean) {
    setFailure("");
    setStep(undefined);
    setStage(dryRun ? "looking" : "erasing");
    try {
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const { data } = await eraseSubject(subject, dryRun, cursor);
        if (stopped.current) return;
        setStep(data);
        cursor = data.cursor;
        if (!cursor && dryRun) setTotal(lookedThrough(data));
      }
      setStage(dryRun ? "found" : "done");
      if (!dryRun) {
        announce("Erased");
        onErased();
      }
    } catch (error) {
      if (stopped.current) return;
      setFailure(messageOf(error));
      setStage("asking");
    }
  }

  const found = step ? told(step) : [];
  const busy = stage === "looking" || stage === "erasing";
  const titles = {
    asking: "Erase a person",
    looking: "Looking for the person",
    found: found.length ? "Erase what names this person?" : "Nothing names this person",
    erasing: "Erasing",
    done: "Erased",
  };
  return (
    <Dialog label="Erase a person" kind="dialog" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void run(stage === "asking");
        }}
      >
        <h2 ref={head} tabIndex={-1}>
          {titles[stage]}
        </h2>
        {stage === "asking" && (
          <>
            <p class="soft">
              Looks through everything kept of webhooks, replies and answers. Search for each form
              that a vendor may use: a phone number finds the number however it is written, a name
              only as it is given here or with the last name first.
            </p>
            <div class="field">
              <label for="erase-subject">Phone, email, record number or full name</label>
              <input
                id="erase-subject"
                class="input"
                autofocus
                autocomplete="off"
                spellcheck={false}
                required
                minLength={4}
                maxLength={200}
                value={subject}
                onInput={(event) => setSubject(event.currentTarget.value)}
              />
            </div>
          </>
        )}
        {busy && (
          <div class="plan">
            <progress
              aria-label={titles[stage]}
              {...(stage === "erasing" && total
                ? { max: total, value: Math.min(total, step ? lookedThrough(step) : 0) }
                : {})}
            />
            <p class="quiet small">
              {step ? `${counted(lookedThrough(step), "record")} looked through` : "Starting"}
            </p>
          </div>
        )}
        <div aria-live="polite">
          {stage === "found" && step && found.length > 0 && (
            <>
              <div class="plan">
                <p>
                  <b>{found.join(", ")}</b>
                </p>
                {step.found.deliveries > 0 && (
                  <p class="quiet small">
                    {counted(step.found.deliveries, "delivery", "deliveries")} not sent yet will
                    end.
                  </p>
                )}
                <p class="quiet small">{counted(total, "record")} looked through.</p>
              </div>
              <div class="note note-warn">
                <Icon name="alert" />
                <div>
                  <b>This cannot be undone</b>
                  <p>
                    A webhook is erased whole, with whoever else it names, and can no longer be sent
                    again. What your destinations received already stays with them.
                  </p>
                </div>
              </div>
            </>
          )}
          {stage === "found" && step && !found.length && (
            <p class="soft">
              {counted(total, "record")} looked through. Try the other forms that a vendor may use.
            </p>
          )}
          {stage === "done" && step && (
            <p class="soft">
              {found.length ? `${found.join(", ")} erased.` : "Nothing was left to erase."} The
              activity says so, without naming the person.
            </p>
          )}
          {(stage === "found" || stage === "done") && step && step.unreadable > 0 && (
            <p class="quiet small">
              {counted(step.unreadable, "record")} could not be opened, by nobody, and were left.
            </p>
          )}
          {failure && (
            <p class="field-error" role="alert">
              <Icon name="alert" size={14} />
              {failure}
            </p>
          )}
        </div>
        <div class="dialog-actions">
          <button type="button" class="button button-plain" onClick={onClose}>
            {
              {
                asking: "Cancel",
                looking: "Cancel",
                found: "Cancel",
                erasing: "Stop",
                done: "Close",
              }[stage]
            }
          </button>
          {stage === "found" && !found.length && (
            <button
              type="button"
              class="button button-primary"
              onClick={() => {
                setStage("asking");
              }}
            >
              Look for another
            </button>
          )}
          {(stage === "asking" || busy) && (
            <button
              class={`button ${stage === "erasing" ? "button-danger" : "button-primary"}`}
              disabled={busy}
            >
              {busy && <span class="spinner" />}
              {stage === "erasing" ? "Erase" : "Look"}
            </button>
          )}
          {stage === "found" && found.length > 0 && (
            <button class="button button-danger">Erase {found.join(", ")}</button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

/** The fewest characters that a password has (NIST SP 800-63B-4 asks for 15 where it stands alone, 8 beside a second factor). */
export const shortestPassword = 12;
export const longestPassword = 128;

/** Words that most leaked passwords are made of, without the digits and signs around them. */
const common = new Set([
  ..."password passwort passw0rd p@ssword p@ssw0rd pa55word passwordpassword mypassword".split(" "),
  ..."qwertyuiop qwertyuiopasdf qwertyqwerty qwerty qwertzuiop asdfghjkl zxcvbnm azertyuiop".split(
    " ",
  ),
  ..."1q2w3e4r5t6y 1qaz2wsx3edc zaq12wsxcde3 q1w2e3r4t5y6 1qazxsw2 qazwsxedcrfv".split(" "),
  ..."iloveyou iloveyouforever letmein letmeinplease welcome welcomehome changeme".split(" "),
  ..."administrator admin adminadmin rootroot superuser default defaultpassword".split(" "),
  ..."trustno1 monkeymonkey dragondragon sunshine princess football baseball superman".split(" "),
  ..."starwars startrek pokemon michael jennifer jordan liverpool chocolate butterfly".split(" "),
  ..."whatever computer internet samsung facebook linkedin google microsoft".split(" "),
  ..."hospital healthcare medical medicine doctor nurse patient clinic ehrconnect".split(" "),
  ..."correcthorsebatterystaple thisismypassword passwordispassword nopassword".split(" "),
  ..."secret topsecret secretpassword temporary temppassword testtest testpassword".split(" "),
  ..."spring summer autumn winter january february december monday company".split(" "),
]);

const decorations = /^[^a-z]+|[^a-z]+$/g;

/** 123456789012, aaaaaaaaaaaa, abcabcabcabc, abcdefghijkl. */
function isMechanical(text: string): boolean {
  if (new Set(text).size < 5) return true;
  const steps = Array.from(text.slice(1), (char, at) => char.charCodeAt(0) - text.charCodeAt(at));
  const even = steps.filter((step) => step === steps[0] && Math.abs(step) <= 1);
  if (even.length >= steps.length - 2) return true;
  for (let size = 1; size <= text.length / 2; size++)
    if (
      text
        .slice(0, size)
        .repeat(Math.ceil(text.length / size))
        .startsWith(text)
    )
      return true;
  return false;
}

/** What is wrong with a new password, for the person who chose it; undefined when nothing is. */
export function whyWeak(password: string, email: string): string | undefined {
  if (password.length < shortestPassword) return `Use at least ${shortestPassword} characters`;
  if (password.length > longestPassword) return `Use at most ${longestPassword} characters`;
  const text = password.normalize("NFKC").toLowerCase();
  const squeezed = text.replace(/\s/g, "");
  if (common.has(squeezed) || common.has(squeezed.replace(decorations, "")))
    return "This is one of the passwords that are tried first. Choose another";
  if (isMechanical(squeezed)) return "This is too regular. Choose another";
  const [local = ""] = email.toLowerCase().split("@");
  if (local.length >= 3 && text.includes(local))
    return "Leave the name of your email address out of the password";
  return undefined;
}

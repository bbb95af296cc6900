"""Just enough reading of C++ text for the checks: comments and strings blanked, functions found."""
import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\ \n]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
INIT_LIST = re.compile(r"\)\s*(?:noexcept\s*(?:\([^()]*\))?\s*)?:(?!:)")
SCOPE = re.compile(r'\bnamespace\b|\bextern\s*$')
TYPE = re.compile(r"\b(?:class|struct|union|enum)\b")
BRACKETED = re.compile(r"<[^<>()]*>|\([^()<>]*\)")


def _blank(match, quote=""):
    text = match[0]
    body = re.sub(r"[^\n]", " ", text)
    if quote and len(text) >= 2:
        return quote + body[1:-1] + quote
    return body


def without_comments(text):
    """Comments become spaces; strings and line numbers stay."""
    return TOKEN.sub(lambda m: _blank(m) if m[0].startswith("/") else m[0], text)


def code_only(text):
    """Comments, and what strings and preprocessor lines hold, become spaces; line numbers stay."""
    text = TOKEN.sub(lambda m: _blank(m) if m[0].startswith("/") else _blank(m, '"'), text)
    return DIRECTIVE.sub(_blank, text)


def _close(text, at):
    """Index of the brace that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
    return len(text) - 1


def _without_brackets(head):
    """Template parameters and argument lists gone, innermost first."""
    shorter = BRACKETED.sub("", head)
    return head if shorter == head else _without_brackets(shorter)


def _kind(head):
    """What a brace after `head` opens: scope (look inside), function, or skip (an initialiser inside the head)."""
    if SCOPE.search(head) or TYPE.search(_without_brackets(head)):
        return "scope"
    if head.count("(") != head.count(")"):
        return "skip"
    if "(" not in head and "[" not in head:
        return "skip"
    end = head.rstrip()[-1:]
    if end == "=" or (INIT_LIST.search(head) and (end.isalnum() or end in "_>")):
        return "skip"
    return "function"


def functions(text):
    """(first line, last line, first line's text) of each outermost function body."""
    code = code_only(text)
    found = []
    start = i = 0
    while i < len(code):
        c = code[i]
        if c == "{":
            head = code[start:i]
            kind = _kind(head)
            if kind == "scope":
                start = i + 1
            else:
                end = _close(code, i)
                if kind == "function":
                    begin = start + len(head) - len(head.lstrip())
                    first = code.count("\n", 0, begin) + 1
                    last = code.count("\n", 0, end) + 1
                    found.append((first, last, " ".join(code[begin:i].split())))
                    start = end + 1
                i = end
        elif c in ";}":
            if code.count("(", start, i) == code.count(")", start, i):
                start = i + 1
        i += 1
    return found

"""Prints a table and keeps it as Markdown for readme.py."""
import os


def as_text(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(header, rows):
    rule = ["---" if i == 0 else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def path(build, name):
    return os.path.join(build, "bench", f"{name}.md")


def publish(build, name, caption, header, rows):
    print(as_text(header, rows))
    print(caption)
    os.makedirs(os.path.dirname(path(build, name)), exist_ok=True)
    with open(path(build, name), "w") as f:
        f.write(f"{as_markdown(header, rows)}\n\n{caption}\n")

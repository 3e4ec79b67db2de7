# For checks that read C by the line.
#
# code(line): the line without its comments and with its strings emptied.
# Lines must be given in order, and code_begin() called at each file's start.

function code_begin() {
	in_comment = 0
}

function code(line,   out, c, at, end) {
	out = ""
	while (line != "") {
		if (in_comment) {
			at = index(line, "*/")
			if (at == 0)
				return out
			line = substr(line, at + 2)
			in_comment = 0
			out = out " "
			continue
		}
		if (!match(line, /["']|\/\*/))
			return out line
		out = out substr(line, 1, RSTART - 1)
		c = substr(line, RSTART, 1)
		line = substr(line, RSTART)
		if (c == "/") {
			in_comment = 1
			line = substr(line, 3)
			continue
		}
		end = c == "\"" ? match(line, /^"([^"\\]|\\.)*"/) \
		    : match(line, /^'([^'\\]|\\.)*'/)
		if (end == 0)
			return out line
		out = out c c
		line = substr(line, RLENGTH + 1)
	}
	return out
}

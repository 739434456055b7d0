// Package regex matches PostgreSQL's regular expressions ("advanced regular expressions",
// https://www.postgresql.org/docs/15/functions-matching.html#FUNCTIONS-POSIX-REGEXP). It finds the leftmost match; of
// those the longest, or the shortest if the expression's first quantifier is non-greedy, and then the parts as each
// quantifier prefers. Matching takes time linear in the text for each state, except with back references, where the
// steps are bounded.
package regex

# The question came after the answer had been collected.
meter chats is the count of chat
ada uses 1 chat on 2026-03-05 with tokens 100, model a
ada uses 1 chat on 2026-03-06 with tokens 50, model b
ada uses 1 chat on 2026-03-07 with tokens many, model a
meter tokens is the sum of tokens in chat
meter models is the unique count of model in chat
tokens of ada from 2026-03-01 to 2026-04-01 is 150
models of ada from 2026-03-01 to 2026-04-01 is 2
chats of ada from 2026-03-01 to 2026-04-01 is 3
ada uses 1 chat on 2026-03-08 with tokens 25, model c
tokens of ada from 2026-03-01 to 2026-04-01 is 175
the server is killed
tokens of ada from 2026-03-06 to 2026-03-09 is 75
models of ada from 2026-03-01 to 2026-04-01 is 3

; Counter of additions: numbers that grow, without being read.
;
; The same as counter, but with storage_add: increments of one counter never conflict with each other, only with `get`.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; id is 8 bytes, numbers are 64-bit little-endian):
;   0 increment(id, amount)
;   1 get(id)                 returns 8 bytes; 0 for a counter that nobody has incremented
; Storage: "c" id, the counter.
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry, 3 the counter would exceed 2^64-1.
; Events: none.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ OVERFLOW, 3

; The input.
.equ ID, 1
.equ AMOUNT, 9

; The frame.
.equ NUMBER, -8
.equ KEY, -24                   ; 9 bytes

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, increment
    jeq r1, 1, get
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

increment:
    jne r2, 17, bad_input
    stb [r10+KEY], 'c'
    ldxdw r1, [r6+ID]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    ldxdw r3, [r6+AMOUNT]
    syscall storage_add
    jeq r0, 0, done
    mov64 r0, OVERFLOW
done:
    exit

get:
    jne r2, 9, bad_input
    stb [r10+KEY], 'c'
    ldxdw r1, [r6+ID]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r10
    add64 r3, NUMBER            ; 0 where nothing is stored: the frame is new
    mov64 r4, 8
    syscall storage_read
    mov64 r1, r10
    add64 r1, NUMBER
    mov64 r2, 8
    syscall set_return_data
    exit

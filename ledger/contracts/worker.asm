; Worker: as much arithmetic as is wanted, between a read and a write of the caller's own value.
;
; Calls of different callers have no key in common; calls of one caller depend on each other.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; numbers are 64-bit little-endian):
;   0 work(iterations)
; Each iteration makes the value x of the caller (0 at first)
;   x = x * 6364136223846793005 + 1442695040888963407; x = x xor (x >> 29)
; modulo 2^64.
; Storage: "w" caller, the value.
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry.
; Events: none.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2

; The input.
.equ ITERATIONS, 1

; The frame.
.equ NUMBER, -8
.equ KEY, -48                   ; 33 bytes

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, work
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

work:
    jne r2, 9, bad_input
    stb [r10+KEY], 'w'
    mov64 r1, r10
    add64 r1, KEY+1
    syscall get_caller
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 33
    mov64 r3, r10
    add64 r3, NUMBER            ; 0 where nothing is stored: the frame is new
    mov64 r4, 8
    syscall storage_read
    ldxdw r1, [r10+NUMBER]      ; r1: x
    ldxdw r2, [r6+ITERATIONS]   ; r2: how many are left
    lddw r3, 6364136223846793005
    lddw r4, 1442695040888963407
    jeq r2, 0, worked
next:
    mul64 r1, r3
    add64 r1, r4
    mov64 r5, r1
    rsh64 r5, 29
    xor64 r1, r5
    sub64 r2, 1
    jne r2, 0, next
worked:
    stxdw [r10+NUMBER], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 33
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_write
    exit

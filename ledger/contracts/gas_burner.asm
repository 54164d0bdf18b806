; Gas burner: changes everything that it can, then uses up its gas.
;
; It traps in the middle of its work, so nothing of it may stay: no value, no sum, no event.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; id is 8 bytes, numbers are 64-bit little-endian):
;   0 burn(id, value)    writes, adds, announces, and loops until the gas is gone
;   1 write(id, value)   the same without the loop
; Storage:
;   "g" id   the last value
;   "t" id   the sum of all values, changed by storage_add
; Transient storage: "g" id, the last value.
; Exit codes: 0 done, 1 wrong length of the input, 2 unknown entry, 3 the sum would exceed 2^64-1, 4 the value is 0.
; Event: no topics, data value.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ OVERFLOW, 3
.equ ZERO, 4

; The input.
.equ ID, 1
.equ VALUE, 9

; The frame.
.equ KEY, -16                   ; 9 bytes

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r7, [r6]               ; r7: the entry
    jle r7, 1, change
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

change:
    jne r2, 17, bad_input
    ldxdw r8, [r6+VALUE]        ; r8: the value
    jeq r8, 0, zero
    stb [r10+KEY], 'g'
    ldxdw r1, [r6+ID]
    stxdw [r10+KEY+1], r1
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r6
    add64 r3, VALUE
    mov64 r4, 8
    syscall storage_write
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r6
    add64 r3, VALUE
    mov64 r4, 8
    syscall tstore
    stb [r10+KEY], 't'
    mov64 r1, r10
    add64 r1, KEY
    mov64 r2, 9
    mov64 r3, r8
    syscall storage_add
    jne r0, 0, overflow
    mov64 r1, r10               ; no topics: any address
    mov64 r2, r6
    add64 r2, VALUE
    mov64 r3, 8
    syscall log0
    jne r7, 0, done
burn:
    add64 r8, 1
    ja burn
done:
    mov64 r0, 0
    exit
overflow:
    mov64 r0, OVERFLOW
    exit
zero:
    mov64 r0, ZERO
    exit

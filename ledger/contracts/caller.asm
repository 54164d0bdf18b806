; Caller: calls contracts, between two changes of its own storage.
;
; A chain is a call whose input is the call of another caller. A contract that is running already is not called again:
; neither directly (entry 1) nor at the end of a chain.
;
; Constructor: takes no input, does nothing.
; Entries (the input's first byte; flag is 1 byte, 0: go on after a failure, 1: fail too):
;   0 call(flag, contract (32), input (the rest))
;   1 call_self(flag, input (the rest))
; Both return what the call gave (8 bytes: the exit code, or 2^64-1 to 2^64-4) and what the contract returned, its first
; 1024 bytes at most.
; Storage:
;   "b"   how many calls were begun, written before the call
;   "a"   what the last call gave, written after it
; Exit codes: 0 done, 1 wrong length of the input or no flag, 2 unknown entry; with flag 1 the exit code that the call
;   gave, or 3 where it gave none (2^64-1 to 2^64-4 as an exit code would mean something else to the next caller).
; Events: none.

.equ BAD_INPUT, 1
.equ UNKNOWN_ENTRY, 2
.equ NO_EXIT_CODE, 3

.ascii BEFORE_KEY, "b"
.ascii AFTER_KEY, "a"

.equ MOST_OUTPUT, 1024

; The input.
.equ FLAG, 1
.equ CONTRACT, 2
.equ CALL_INPUT, 34
.equ SELF_INPUT, 2

; The frame.
.equ SELF, -32
.equ NUMBER, -40
.equ RESULT, -1072              ; the number that the call gave; directly behind it
.equ OUTPUT, -1064              ; up to 1024 bytes that the contract returned

entrypoint:
    mov64 r6, r1                ; r6: the input, from here on
    jne r4, 0, constructor
    jeq r2, 0, bad_input
    ldxb r1, [r6]
    jeq r1, 0, call_other
    jeq r1, 1, call_self
    mov64 r0, UNKNOWN_ENTRY
    exit
constructor:
    jne r2, 0, bad_input
    mov64 r0, 0
    exit
bad_input:
    mov64 r0, BAD_INPUT
    exit

call_other:
    jlt r2, CALL_INPUT, bad_input
    mov64 r7, r6
    add64 r7, CONTRACT          ; r7: the contract
    mov64 r8, r6
    add64 r8, CALL_INPUT        ; r8: its input
    mov64 r9, r2
    sub64 r9, CALL_INPUT        ; r9: the length of that
    ja begin
call_self:
    jlt r2, SELF_INPUT, bad_input
    mov64 r7, r10
    add64 r7, SELF
    mov64 r8, r6
    add64 r8, SELF_INPUT
    mov64 r9, r2
    sub64 r9, SELF_INPUT
    mov64 r1, r7
    syscall get_program_id
begin:
    ldxb r6, [r6+FLAG]          ; r6: the flag
    jgt r6, 1, bad_input
    mov64 r1, BEFORE_KEY
    mov64 r2, BEFORE_KEY_LEN
    mov64 r3, r10
    add64 r3, NUMBER            ; 0 where nothing is stored: the frame is new
    mov64 r4, 8
    syscall storage_read
    ldxdw r1, [r10+NUMBER]
    add64 r1, 1
    stxdw [r10+NUMBER], r1
    mov64 r1, BEFORE_KEY
    mov64 r2, BEFORE_KEY_LEN
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_write

    mov64 r1, r7
    mov64 r2, r8
    mov64 r3, r9
    syscall invoke
    stxdw [r10+RESULT], r0
    mov64 r7, r0                ; r7: what it gave

    mov64 r1, AFTER_KEY
    mov64 r2, AFTER_KEY_LEN
    mov64 r3, r10
    add64 r3, RESULT
    mov64 r4, 8
    syscall storage_write
    mov64 r1, r10
    add64 r1, OUTPUT
    mov64 r2, MOST_OUTPUT
    syscall get_return_data
    jle r0, MOST_OUTPUT, fits
    mov64 r0, MOST_OUTPUT
fits:
    mov64 r1, r10
    add64 r1, RESULT
    mov64 r2, r0
    add64 r2, 8
    syscall set_return_data
    jeq r6, 0, done
    jgt r7, -16, no_exit_code   ; above 2^64-16: no exit code of a contract
    mov64 r0, r7
    exit
no_exit_code:
    mov64 r0, NO_EXIT_CODE
    exit
done:
    mov64 r0, 0
    exit

; Purse: a contract that does, on request, what the samples do not: it pays, looks at balances and at code, removes
; values, and ends in every way after that.
;
; Constructor: does nothing.
; Entries (the input's first byte; numbers are 64-bit little-endian, keys are 1 byte):
;   0 pay(to (32), amount)             the exit code is what `transfer` gave
;   1 pay_and_revert(to, amount)       exit code 9
;   2 pay_and_trap(to, amount)
;   3 look(address (32))               returns and stores ("l") the balance
;   4 delete(key)
;   5 set(key, value (the rest))       an empty value removes
;   6 add(key, amount)                 the exit code is what `storage_add` gave
;   7 get(key)                         returns the value
;   8 shout(count)                     so many events
;   9 code(contract (32))              returns the hash of its code, or fails with 8
;  10 add_and_look(key, amount)        returns the sum
;  11 add_and_trap(key, amount)
;  12 shout_and_revert(count)         exit code 9
;  13 shout_and_trap(count)
; Any other entry traps.

.equ SELF, -32
.equ NUMBER, -40
.equ OUTPUT, -1072
.equ MOST_OUTPUT, 1024

.ascii LOOKED_KEY, "l"

entrypoint:
    mov64 r6, r1                ; r6: the input
    mov64 r7, r2                ; r7: its length
    mov64 r0, 0
    jne r4, 0, done
    jeq r2, 0, fault
    ldxb r8, [r6]               ; r8: the entry
    jle r8, 2, pay
    jeq r8, 3, look
    jeq r8, 4, delete
    jeq r8, 5, set
    jeq r8, 6, add
    jeq r8, 7, get
    jeq r8, 8, shout
    jeq r8, 9, code
    jeq r8, 10, add
    jeq r8, 11, add
    jeq r8, 12, shout
    jeq r8, 13, shout
fault:
    syscall abort
done:
    exit

pay:
    mov64 r1, r10
    add64 r1, SELF
    syscall get_program_id
    mov64 r1, r10
    add64 r1, SELF
    mov64 r2, r6
    add64 r2, 1
    ldxdw r3, [r6+33]
    syscall transfer
    jeq r8, 2, fault
    jeq r8, 0, done
    mov64 r0, 9
    exit

look:
    mov64 r1, r6
    add64 r1, 1
    syscall get_balance
    stxdw [r10+NUMBER], r0
    mov64 r1, LOOKED_KEY
    mov64 r2, LOOKED_KEY_LEN
    mov64 r3, r10
    add64 r3, NUMBER
    mov64 r4, 8
    syscall storage_write
    mov64 r1, r10
    add64 r1, NUMBER
    mov64 r2, 8
    syscall set_return_data
    exit

delete:
    mov64 r1, r6
    add64 r1, 1
    mov64 r2, 1
    syscall storage_delete
    exit

set:
    mov64 r1, r6
    add64 r1, 1
    mov64 r2, 1
    mov64 r3, r6
    add64 r3, 2
    mov64 r4, r7
    sub64 r4, 2
    syscall storage_write
    exit

add:
    mov64 r1, r6
    add64 r1, 1
    mov64 r2, 1
    ldxdw r3, [r6+2]
    syscall storage_add
    jeq r8, 11, fault
    jeq r8, 6, done
    jne r0, 0, done
get:
    mov64 r1, r6
    add64 r1, 1
    mov64 r2, 1
    mov64 r3, r10
    add64 r3, OUTPUT
    mov64 r4, MOST_OUTPUT
    syscall storage_read
    jle r0, MOST_OUTPUT, returned
    mov64 r0, 0
returned:
    mov64 r1, r10
    add64 r1, OUTPUT
    mov64 r2, r0
    syscall set_return_data
    mov64 r0, 0
    exit

shout:
    ldxdw r7, [r6+1]
more:
    jeq r7, 0, shouted
    mov64 r1, r10               ; no topics: any address
    mov64 r2, r6
    mov64 r3, 1
    syscall log0
    sub64 r7, 1
    ja more
shouted:
    jeq r8, 13, fault
    mov64 r0, 0
    jeq r8, 8, done
    mov64 r0, 9
    exit

code:
    mov64 r1, r6
    add64 r1, 1
    mov64 r2, r10
    add64 r2, SELF
    syscall get_external_code_hash
    jne r0, 0, no_code
    mov64 r1, r10
    add64 r1, SELF
    mov64 r2, 32
    syscall set_return_data
    mov64 r0, 0
    exit
no_code:
    mov64 r0, 8
    exit

// Context switch for AArch64, AAPCS64: x19-x30 and d8-d15 are callee-saved. FPCR stays the thread's.
  .text

// void degu_rt_switch(void** save_sp, void* load_sp)
  .globl degu_rt_switch
  .hidden degu_rt_switch
  .type degu_rt_switch, %function
  .p2align 4
degu_rt_switch:
  .cfi_startproc
  hint #34
  sub sp, sp, #160
  stp x29, x30, [sp, #0]
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x29, x30, [sp, #0]
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  br x30
  .cfi_endproc
  .size degu_rt_switch, .-degu_rt_switch

// First instructions of a goroutine.
  .globl degu_rt_entry
  .hidden degu_rt_entry
  .type degu_rt_entry, %function
  .p2align 4
degu_rt_entry:
  .cfi_startproc
  .cfi_undefined x30
  hint #36
  mov x29, xzr
  mov x30, xzr
  bl degu_rt_goroutine_main
  brk #1
  .cfi_endproc
  .size degu_rt_entry, .-degu_rt_entry

// void degu_rt_call_on(void* stack_top, void (*fn)(void*), void* arg)
  .globl degu_rt_call_on
  .hidden degu_rt_call_on
  .type degu_rt_call_on, %function
  .p2align 4
degu_rt_call_on:
  .cfi_startproc
  hint #34
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  mov x29, sp
  .cfi_def_cfa_register x29
  mov sp, x0
  mov x9, x1
  mov x0, x2
  blr x9
  mov sp, x29
  ldp x29, x30, [sp], #16
  .cfi_def_cfa sp, 0
  ret
  .cfi_endproc
  .size degu_rt_call_on, .-degu_rt_call_on

  .section .note.GNU-stack,"",%progbits

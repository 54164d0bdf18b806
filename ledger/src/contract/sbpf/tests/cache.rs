//! What the machine remembers of modules.

use std::thread;

use super::*;
use crate::contract::sbpf::cache::{Cache, Known};
use crate::contract::sbpf::program::Program;
use crate::types::Hash;

fn numbered(number: usize) -> Module {
    module(&format!("mov64 r0, {number}\nexit"))
}

fn vm(cache_bytes: usize, refused_bytes: usize) -> SbpfVm {
    SbpfVm::new(SbpfSettings { cache_bytes, refused_bytes, ..SbpfSettings::default() })
}

fn code(vm: &SbpfVm, module: &Module) -> Result<u64, Trap> {
    vm.run(module, GAS, &mut FakeHost::default()).end
}

/// Bytes of one of the numbered programs.
fn one() -> usize {
    let vm = vm(usize::MAX, usize::MAX);
    assert_eq!(code(&vm, &numbered(0)), Ok(0));
    vm.cache.size().0
}

#[test]
fn the_memory_of_programs_counts() {
    let elf_bytes = numbered(0).bytes().len();
    let interpreted = Program::load(numbered(0).bytes()).expect("a program").bytes();
    assert!(interpreted > elf_bytes);
    if cfg!(all(target_arch = "x86_64", not(target_os = "windows"))) {
        assert!(one() >= interpreted + 4096, "{} {interpreted}", one());
    }
}

#[test]
fn programs_are_bounded_and_the_oldest_goes() {
    let limit = one() * 4 + one() / 2;
    let vm = vm(limit, usize::MAX);
    for number in 0..30 {
        assert_eq!(code(&vm, &numbered(number)), Ok(number as u64));
        // One that is always in use.
        assert_eq!(code(&vm, &numbered(0)), Ok(0));
        let (bytes, programs, _) = vm.cache.size();
        assert!(bytes <= limit && programs == (number + 1).min(4), "{bytes} {programs}");
    }
    for (number, there) in [(0, true), (29, true), (28, true), (27, true), (26, false), (1, false)] {
        assert_eq!(vm.cache.get(numbered(number).hash()).is_some(), there, "{number}");
    }
}

#[test]
fn a_program_larger_than_the_cache_runs() {
    let vm = vm(one() - 1, usize::MAX);
    for _ in 0..2 {
        assert_eq!(code(&vm, &numbered(3)), Ok(3));
        assert_eq!(vm.check(&numbered(3)), Ok(()));
        assert_eq!(vm.cache.size(), (0, 0, 0));
    }
}

#[test]
fn modules_that_are_none_are_remembered_apart() {
    let vm = vm(one(), 10_000);
    assert_eq!(code(&vm, &numbered(7)), Ok(7));
    for number in 0..500_usize {
        let module = Module::new(number.to_le_bytes());
        let Err(Trap::NotExecutable(why)) = vm.check(&module) else { panic!("a number is no module") };
        let Some(Known::Refused(known)) = vm.cache.get(module.hash()) else { panic!("it is remembered") };
        assert_eq!(known, why);
        assert_eq!(code(&vm, &module), Err(Trap::NotExecutable(why)));
    }
    let (_, programs, refused) = vm.cache.size();
    assert!(programs == 1 && (10..40).contains(&refused), "{programs} {refused}");
}

/// What can never run is not looked at: what it is would be said of the broken one, and remembered.
#[test]
fn modules_above_the_code_limit() {
    let limit = 128 * 1024;
    let vm = vm(usize::MAX, usize::MAX);
    let padding = limit - module_with(&[0; 8], "exit").bytes().len() + 8;
    let largest = module_with(&vec![0; padding], "exit");
    assert_eq!((largest.bytes().len(), vm.check(&largest)), (limit, Ok(())));
    let known = vm.cache.size();
    for large in [module_with(&vec![0; padding + 8], "exit"), Module::new(vec![0; limit + 1])] {
        assert_eq!(vm.check(&large), Err(Trap::TooMuchCode { limit }));
        assert_eq!(code(&vm, &large), vm.check(&large).map(|()| 0));
        assert_eq!(vm.cache.size(), known);
    }
    assert!(matches!(vm.check(&Module::new(vec![0; limit])), Err(Trap::NotExecutable(_))));
}

#[test]
fn who_uses_a_program_keeps_it() {
    let cache = Cache::new(1 << 30, 0);
    let program = Arc::new(Program::load(numbered(5).bytes()).expect("a program"));
    cache.keep(Hash([1; 32]), &program);
    let Some(Known::Program(used)) = cache.get(&Hash([1; 32])) else { panic!("it was kept") };
    let alive = Arc::downgrade(&program);
    drop((cache, program));
    assert!(alive.upgrade().is_some());
    drop(used);
    assert!(alive.upgrade().is_none());
}

/// All miss at once, with room for only some: nobody gets another's program.
#[test]
fn threads_that_miss_at_once() {
    let modules: Vec<_> = (0..12).map(numbered).collect();
    for limit in [usize::MAX, one() * 3] {
        let vm = vm(limit, 1000);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (vm, modules) = (&vm, &modules);
                scope.spawn(move || {
                    for round in 0..60 {
                        let number = (round * (thread + 1)) % modules.len();
                        assert_eq!(code(vm, &modules[number]), Ok(number as u64));
                        let none = Module::new([round as u8]);
                        assert!(matches!(vm.check(&none), Err(Trap::NotExecutable(_))));
                    }
                });
            }
        });
        let (bytes, programs, _) = vm.cache.size();
        assert!(bytes <= limit && programs == if limit == usize::MAX { 12 } else { 3 });
    }
}

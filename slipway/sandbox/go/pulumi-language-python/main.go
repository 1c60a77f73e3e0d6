// Command pulumi-language-python runs Pulumi programs, components and policy packs written in Python for the Pulumi CLI.
//
// Pulumi's own host is in no Go module that the proxy serves. This one does what preview, up, refresh, destroy, install, component
// plugins and policy packs ask for, on the SDK's own Python toolchains, and refuses the rest by name. The CLI finds it beside itself.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

const (
	// The program's exit code when it has shown its error to the user.
	shownExitCode = 32
	// How soon a CLI that was killed is noticed.
	healthcheckPeriod = 2 * time.Second
)

// A Python that has loaded the SDK and waits to be told which program to run.
//
//go:embed waiting.py
var waiting string

type waitingPython struct {
	command *exec.Cmd
	orders  io.WriteCloser
	ended   chan error
}

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
	// Starts a program: beside this executable.
	exec string

	lock     sync.Mutex
	children map[*exec.Cmd]struct{}
	waiting  *waitingPython
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-language-python: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	var engine string
	for _, argument := range os.Args[1:] {
		if !strings.HasPrefix(argument, "-") {
			engine = argument
		}
	}
	if engine == "" {
		return errors.New("the Pulumi CLI starts this program; run `pulumi` instead")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return err
	}
	served := &host{
		engine:   engine,
		exec:     filepath.Join(filepath.Dir(self), "pulumi-language-python-exec"),
		children: map[*exec.Cmd]struct{}{},
	}

	// The CLI starts us in a process group of our own, so that Ctrl-C is its business: SIGINT is how it tells us to end.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		served.interrupt()
		close(cancel)
	}()
	if err := rpcutil.Healthcheck(ctx, engine, healthcheckPeriod, stop); err != nil {
		return fmt.Errorf("the engine at %s: %w", engine, err)
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, served)
			return nil
		},
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d\n", handle.Port)
	return <-handle.Done
}

func (h *host) Handshake(
	context.Context, *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// GetRequiredPackages answers none: the engine asks for a package's plugin when the program first names it. The program comes next,
// after the policy packs have started: meanwhile its Python loads the SDK.
func (h *host) GetRequiredPackages(
	_ context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	h.startWaiting(request.GetInfo())
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) GetRequiredPlugins(
	context.Context, *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

func (h *host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (h *host) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

// About is asked for at every preview and update: what the toolchain itself answers starts Python three times, and pip.
func (h *host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	python, err := python(request.GetInfo())
	if err != nil {
		return nil, err
	}
	command, err := python.Command(ctx, "-I", "-S", "-c", "import sys; print(sys.executable); print(sys.version.split()[0])")
	if err != nil {
		return nil, err
	}
	said, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s does not start: %w", command.Path, err)
	}
	executable, number, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	return &pulumirpc.AboutResponse{Executable: executable, Version: number}, nil
}

func (h *host) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	python, err := python(request.GetInfo())
	if err != nil {
		return nil, err
	}
	packages, err := python.ListPackages(ctx, request.GetTransitiveDependencies())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, found := range packages {
		response.Dependencies = append(
			response.Dependencies, &pulumirpc.DependencyInfo{Name: found.Name, Version: found.Version})
	}
	return response, nil
}

func (h *host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest,
	server grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	python, err := python(request.GetInfo())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, request.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	if virtualenv, err := python.VirtualEnvPath(server.Context()); err == nil && virtualenv == "" {
		// The first Python on PATH is the sandbox's own: its packages must stay as they are.
		fmt.Fprintln(stdout, "Nothing is installed: Pulumi.yaml names no virtual environment. "+
			"With `virtualenv: venv` under runtime.options, the program gets its own.")
		return closer.Close()
	}
	folder := request.GetInfo().GetProgramDirectory()
	tools := request.GetUseLanguageVersionTools()
	if err := python.InstallDependencies(server.Context(), folder, tools, true, stdout, stderr); err != nil {
		return err
	}
	return closer.Close()
}

func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	info := request.GetInfo()
	python, err := python(info)
	if err != nil {
		return nil, err
	}
	// Never null: the SDK takes what it gets for a map and a list.
	config := map[string]string{}
	maps.Copy(config, request.GetConfig())
	settings, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	arguments := []string{
		h.exec,
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", request.GetProject(),
		"--root_directory", info.GetRootDirectory(),
		"--stack", request.GetStack(),
		"--pwd", request.GetPwd(),
		"--dry_run", strconv.FormatBool(request.GetDryRun()),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
		"--organization", request.GetOrganization(),
		filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint()),
	}
	command, err := python.Command(ctx, append(arguments, request.GetArgs()...)...)
	if err != nil {
		return nil, err
	}
	own := map[string]string{"PULUMI_CONFIG": string(settings), "PULUMI_CONFIG_SECRET_KEYS": string(keys)}
	ended := h.handOver(command, own)
	if ended == nil {
		command.Env = environment(command)
		for name, value := range own {
			command.Env = append(command.Env, name+"="+value)
		}
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		ended = h.run(command)
	}
	err = <-ended
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("the program could not be started: %w", err)
	case exit.ExitCode() == shownExitCode:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case exit.Exited():
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with exit code %d", exit.ExitCode())}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program was ended: %v", exit)}, nil
	}
}

func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, server grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	info := request.GetInfo()
	python, err := python(info)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	var command *exec.Cmd
	if request.GetKind() == "analyzer" {
		command, err = python.Command(
			server.Context(), append(append([]string{"-u", "-m", "pulumi.policy"}, request.GetArgs()...), info.GetProgramDirectory())...)
	} else {
		program := filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint())
		command, err = python.Command(server.Context(), append([]string{"-u", program}, request.GetArgs()...)...)
	}
	if err != nil {
		return err
	}
	command.Dir = request.GetPwd()
	command.Env = append(environment(command), request.GetEnv()...)
	command.Stdout, command.Stderr = stdout, stderr
	err = <-h.run(command)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("the plugin could not be started: %w", err)
	}
	code := int32(0)
	if exit != nil {
		code = int32(exit.ExitCode())
	}
	if err := closer.Close(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: code}})
}

// Cancel comes at the end of every operation, too: what still runs then is asked to end.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.interrupt()
	return &emptypb.Empty{}, nil
}

// startWaiting starts the Python of a program; where that fails, Run says so.
func (h *host) startWaiting(info *pulumirpc.ProgramInfo) {
	python, err := python(info)
	if err != nil {
		return
	}
	command, err := python.Command(context.Background(), "-c", waiting, filepath.Dir(h.exec))
	if err != nil || len(command.Args) != 4 { // a toolchain that puts a command of its own before Python
		return
	}
	orders, err := command.StdinPipe()
	if err != nil {
		return
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	ended := h.run(command)
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.waiting != nil {
		_ = orders.Close()
		return
	}
	h.waiting = &waitingPython{command, orders, ended}
}

// handOver has the waiting Python do what command would; nil: none waits, or another than command needs.
func (h *host) handOver(command *exec.Cmd, environ map[string]string) chan error {
	h.lock.Lock()
	found := h.waiting
	h.waiting = nil
	h.lock.Unlock()
	if found == nil {
		return nil
	}
	defer found.orders.Close()
	if found.command.Path != command.Path || !slices.Equal(found.command.Env, command.Env) {
		return nil
	}
	order, err := json.Marshal(map[string]any{"argv": command.Args[1:], "environ": environ})
	if err != nil {
		return nil
	}
	if _, err := found.orders.Write(append(order, '\n')); err != nil {
		return nil
	}
	return found.ended
}

// run starts a command; what it answers tells how it ended.
func (h *host) run(command *exec.Cmd) chan error {
	ended := make(chan error, 1)
	go func() {
		// The child must not outlive us. The signal comes when the thread that started it ends, so that thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- h.runHere(command)
	}()
	return ended
}

func (h *host) runHere(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	h.lock.Lock()
	err := command.Start()
	if err == nil {
		h.children[command] = struct{}{}
	}
	h.lock.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		h.lock.Lock()
		delete(h.children, command)
		h.lock.Unlock()
	}()
	return command.Wait()
}

func (h *host) interrupt() {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.waiting != nil {
		_ = h.waiting.orders.Close()
		h.waiting = nil
	}
	for child := range h.children {
		// Not SIGINT, of which Python would tell by a traceback.
		_ = child.Process.Signal(syscall.SIGTERM)
	}
}

// python is the toolchain that the project's or the plugin's `runtime.options` name: pip by default, and a virtualenv of its own.
func python(info *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	options := toolchain.PythonOptions{Root: info.GetRootDirectory(), ProgramDir: info.GetProgramDirectory()}
	for name, value := range info.GetOptions().AsMap() {
		text, isText := value.(string)
		switch {
		case name == "virtualenv" && isText:
			options.Virtualenv = text
		case name == "toolchain" && text == "pip":
			options.Toolchain = toolchain.Pip
		case name == "toolchain" && text == "poetry":
			options.Toolchain = toolchain.Poetry
		case name == "toolchain" && text == "uv":
			options.Toolchain = toolchain.Uv
		case name == "typechecker" && text == "":
		default:
			return nil, fmt.Errorf("runtime.options.%s: %v: this Python language host knows virtualenv, and toolchain "+
				"with pip, poetry or uv; install Pulumi's own CLI for more", name, value)
		}
	}
	return toolchain.ResolveToolchain(options)
}

func environment(command *exec.Cmd) []string {
	if command.Env != nil {
		return command.Env
	}
	return os.Environ()
}
